// NVIDIA's hybrids of Mamba-2, attention and experts. From config.json on the Hugging Face Hub.
import { type Presets, sizes } from './sizes.ts'

export const presets: Presets = {
  'nemotron-3-nano': {
    model_type: 'nemotron_h',
    ...sizes(2688, 52, 32, 2, 1856, 131072, 262144),
    head_dim: 128,
    /** M: Mamba-2, E: experts, *: attention. */
    hybrid_override_pattern: 'MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME',
    mamba_num_heads: 64,
    mamba_head_dim: 64,
    ssm_state_size: 128,
    n_groups: 8,
    conv_kernel: 4,
    chunk_size: 128,
    use_conv_bias: true,
    mamba_ssm_cache_dtype: 'float32',
    n_routed_experts: 128,
    num_experts_per_tok: 6,
    n_shared_experts: 1,
    moe_intermediate_size: 1856,
    moe_shared_expert_intermediate_size: 3712,
    mlp_hidden_act: 'relu2',
    attention_bias: false,
    use_bias: false,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  },
}
