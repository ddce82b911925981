// One step of one path through a search tree, and where steps come from. Nothing here knows how a strategy chooses.

/** A step that was sampled after another; the root is the problem itself. */
export interface Node {
  /** As the source names it; unique within its problem. */
  readonly id: string | number
  readonly parent: Node | undefined
  readonly depth: number
  /** Tokens of this step; of the root, the prompt's. */
  readonly tokens: number
  /** Tokens of all steps up to this one, without the prompt. */
  readonly path: number
  /** What the reward model says of the last step. */
  readonly reward: number
  /** The path ends here. */
  readonly terminal: boolean
  readonly answer?: string
  /** Whether the path up to here can still be right; undefined where the source does not know. */
  readonly correct?: boolean
  /** What the step says, in whatever words: equal for steps that say the same; undefined where the source does not know. */
  readonly approach?: number
}

export interface Problem {
  readonly root: Node
  /** The right answer, where it is known. */
  readonly truth?: string
}

/** Where steps come from: a generator of synthetic ones, or a recorded search. */
export interface Source<N extends Node = Node> {
  readonly problems: number
  problem(index: number): Problem & { readonly root: N }
  /** `width` samples of the next step; fewer where a recording has no more. */
  expand(node: N, width: number): readonly N[]
  /** The last step's embedding; all of one source have one length. */
  embedding(node: N): ArrayLike<number>
}

/** Tokens of the tree that these leaves and everything before them make, without the prompt: each node once. */
export function uniqueTokens(leaves: Iterable<Node>): number {
  const seen = new Set<Node>()
  let tokens = 0
  for (const leaf of leaves) {
    for (let node: Node | undefined = leaf; node?.parent && !seen.has(node); node = node.parent) {
      seen.add(node)
      tokens += node.tokens
    }
  }
  return tokens
}

/** Tokens of the paths to these leaves, without the prompt: what is shared counts for each. */
export function pathTokens(leaves: Iterable<Node>): number {
  let tokens = 0
  for (const leaf of leaves) tokens += leaf.path
  return tokens
}
