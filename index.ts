// The library's door: what the command line uses, for programs. Everything else is a room's own matter.
export { loadMachine, machineAliases, machineNames } from './hardware/catalog.ts'
export type { Link, Machine } from './hardware/machine.ts'
export { type Calibration, type Constants, type Profile, profileOf } from './hardware/profile.ts'
export { type Limit, linkFor, operatorTime, peak, type Term, type Time, vectorPeak } from './hardware/time.ts'
export { type Growth, growth } from './hardware/trends/fit.ts'
export { memoryBoundSince, type Ridge, ridge, type Trend, trends } from './hardware/trends/trends.ts'
export { parseMachine } from './hardware/validate.ts'
export type { Architecture, LayerGroup, Module, Reach, Role, Stack } from './model/architecture.ts'
export { chunkSelection, denseStore, type Region, type Selection, type Store, windowSelection } from './model/cache.ts'
export { loadModel, modelNames } from './model/catalog.ts'
export { type Deployment, type DeploymentOptions, deploy, devices, type Parallel } from './model/deployment.ts'
export { type Format, type FormatName, format, formatNames, type Unit } from './model/format.ts'
export { ConfigError, importConfig } from './model/import/config.ts'
export { type Memory, memory, perToken } from './model/memory.ts'
export { type Bytes, type Operator, operatorBytes, type Pass, type Shape, type Stream } from './model/operator.ts'
export { type ParameterCount, parameters } from './model/parameters.ts'
export { pass } from './model/pass.ts'

export { parseFormat, parseTokens } from './model/quantity.ts'
export { seeded } from './model/random.ts'
export {
  assessLayer,
  finished,
  type LayerAssessment,
  type TensorAssessment,
  together,
  totalBytes,
} from './model/tensor/assess.ts'
export { CausalAttention, headErrors } from './model/tensor/attention.ts'
export { type Calibrated, type Calibration as KvCalibration, calibrate, calibration } from './model/tensor/calibrate.ts'
export {
  type DenseSparse,
  denseAndSparse,
  denseAndSparseBytes,
  denseAndSparseWeights,
} from './model/tensor/dense-sparse.ts'
export {
  type Along,
  type Hierarchical,
  hierarchicalBytes,
  quantizeHierarchical,
  readHierarchical,
} from './model/tensor/hierarchical.ts'
export { kMeans } from './model/tensor/k-means.ts'
export { pack, packedBytes, unpack } from './model/tensor/pack.ts'
export {
  bytesOf,
  dequantize,
  fixedBytes,
  join,
  type Packed,
  type PackedBytes,
  quantize,
} from './model/tensor/quantize.ts'
export { rotate } from './model/tensor/rope.ts'
export { safetensors } from './model/tensor/safetensors.ts'
export {
  kvMethod,
  type Method as KvMethod,
  type MethodOptions as KvMethodOptions,
  methodNames as kvMethodNames,
  type Scheme,
} from './model/tensor/scheme.ts'
export { type KvSource, type LayerSource, layerInMemory } from './model/tensor/source.ts'
export { type Assign, assign } from './model/tensor/squeezed/assign.ts'
export { budgetFormula } from './model/tensor/squeezed/bytes.ts'
export { type Clustering, type ClusteringOptions, cosineClusters } from './model/tensor/squeezed/cosine-clusters.ts'
export { clusterSoftmax, importance } from './model/tensor/squeezed/importance.ts'
export { mergeParts, splitAttention } from './model/tensor/squeezed/split-attention.ts'
export { type Squeezed, type SqueezeOptions, squeeze } from './model/tensor/squeezed/squeeze.ts'
export { selectionTotals } from './model/tensor/squeezed/totals.ts'
export { type SyntheticOptions, structures, synthetic } from './model/tensor/synthetic.ts'
export { type Shape as TensorShape, type Tensor, tensor } from './model/tensor/tensor.ts'
export {
  chunk,
  decode,
  encode,
  mixed,
  prefill,
  type Segment,
  type Sequences,
  tree,
  verify,
  type Workload,
} from './model/workload.ts'
export {
  type Counts,
  type Event,
  eventLine,
  generate,
  type Proposal,
  type Text,
  type Thresholds,
} from './simulate/bild/algorithm.ts'
export { fitRuns, type MeasuredRun, type RunConstants, runSeconds } from './simulate/bild/fit.ts'
export { each, type Outcome, simulateBild, upTo } from './simulate/bild/monte-carlo.ts'
export {
  type BildRates,
  type BildRound,
  type BildShares,
  bildRound,
  bildSeconds,
  bildShares,
  bildSpeedup,
  ratesOf,
  type StepSeconds,
  sampleBildRound,
} from './simulate/bild/renewal.ts'
export { type TaskName, type TaskTexts, taskNames, textsOfTask } from './simulate/bild/tasks.ts'
export { parseTrace, type Trace, traceRates } from './simulate/bild/trace.ts'
export { type Cost, costOf, type Prices, type Ranked, rank } from './simulate/cost.ts'
export { type Engine, graph } from './simulate/engine.ts'
export { type Estimate, estimate, type Row } from './simulate/estimate.ts'
export { type Expression, parseExpression } from './simulate/expression.ts'
export {
  type AppliedMethod,
  applyMethod,
  loadMethod,
  type Method,
  methodNames,
  parseMethod,
} from './simulate/method.ts'
export { type OperatorAnswer, type Prediction, predict } from './simulate/predict.ts'
export { type Phase, type Query, type Resolved, resolve } from './simulate/query.ts'
export { loadPaper, paperNames } from './simulate/reproduce.ts'
export { autoregressive, type Round, type Step, type Strategy } from './simulate/round.ts'
export { rebaseWidths } from './simulate/search/allocation.ts'
export { averageLinkage } from './simulate/search/clusters.ts'
export { type Costs as SearchCosts, type Place as SearchPlace, placed, stepCost } from './simulate/search/cost.ts'
export { exactSolver } from './simulate/search/exact.ts'
export { greedyKept } from './simulate/search/greedy.ts'
export {
  type Node as SearchNode,
  pathTokens,
  type Source as SearchSource,
  uniqueTokens,
} from './simulate/search/node.ts'
export {
  against,
  type Experiment as SearchExperiment,
  experiment as searchExperiment,
  type Gain as SearchGain,
  type Outcome as SearchOutcome,
} from './simulate/search/outcome.ts'
export { objective as treeObjective, type Program as TreeProgram, treeProgram } from './simulate/search/program.ts'
export { type Search, type SearchStep, search as searchTree } from './simulate/search/search.ts'
export {
  type Settings as SearchSettings,
  settingsDefaults as searchDefaults,
  strategyNames,
} from './simulate/search/select.ts'
export { type Generator as SearchGenerator, generatorDefaults, syntheticSource } from './simulate/search/synthetic.ts'
export { parseSearchTrace, type SearchTrace } from './simulate/search/trace.ts'
export { weightedMajority } from './simulate/search/vote.ts'
export { type ServingAnswer, servingAnswer } from './simulate/serving/answer.ts'
export { arrivals, parseArrivals } from './simulate/serving/arrivals.ts'
export { feasibleBatch, meets, saturationRate, steadyStep } from './simulate/serving/capacity.ts'
export { Learner, type TensorFlow, usualHyper } from './simulate/serving/dqn/learner.ts'
export { type Policy, parsePolicy, policyFile, policyRouter } from './simulate/serving/dqn/policy.ts'
export { type Scenario, Training as RouterTraining } from './simulate/serving/dqn/training.ts'
export { parseService, type ReplicaKind, replicaKind, serviceServing } from './simulate/serving/fleet.ts'
export { always, type Lengths, parseLengths } from './simulate/serving/lengths.ts'
export type { Caps } from './simulate/serving/replica.ts'
export {
  deadlineCapped,
  type Fleet,
  largestThatFits,
  leastLoadedRouter,
  type Router,
  randomRouter,
  staticRouter,
} from './simulate/serving/router.ts'
export {
  type Outcome as ServingOutcome,
  type SimulationOptions as ServingOptions,
  simulate as simulateServing,
  streamsOf,
} from './simulate/serving/simulator.ts'
export { closedSource, listSource, openSource, type Source as ServingSource } from './simulate/serving/source.ts'
export { controlledWait, erlangWait, leadingWaits, pollaczekWait } from './simulate/serving/theory.ts'
export { recorded } from './simulate/serving/trace.ts'
export { type Acceptance, alphaOf, fromAccepted, fromAlpha, tokensPerRound } from './simulate/speculation/acceptance.ts'
export { type Buffers, bufferSlots, buffers, quantizedOfPrompt } from './simulate/speculation/buffers.ts'
export { bestGamma, bestGammaOf, operationsFactor, speedup } from './simulate/speculation/gain.ts'
export { type SpeculationOutcome, simulateRounds, simulateTexts } from './simulate/speculation/monte-carlo.ts'
export { constantRate, parseRate, type Rate, tableRate, traceRate } from './simulate/speculation/rate.ts'
export { type ModelSteps, modelSteps, type StepQuery } from './simulate/speculation/steps.ts'
export { pairWarnings } from './simulate/speculation/vocabulary.ts'
export { type Training, type TrainingStep, train } from './simulate/train/train.ts'
export { noRequest, type Plan, planOf, type Request } from './simulate/whatif/plan.ts'
export { answerPoints, type Row as SweepRow, rowAt } from './simulate/whatif/row.ts'
export { type Elasticity, sensitivity } from './simulate/whatif/sensitivity.ts'
export { type Question, type Solution, solve } from './simulate/whatif/solve.ts'
