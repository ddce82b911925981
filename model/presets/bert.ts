// BERT (arXiv 1810.04805), RoBERTa (1907.11692), DistilBERT (1910.01108) and the discriminators of ELECTRA (2003.10555).
// From their config.json on the Hugging Face Hub.
import type { Presets } from './sizes.ts'

/** An encoder whose heads are 64 wide and whose feed-forward is four times as wide as its layers. */
function encoder(model_type: string, hidden_size: number, num_hidden_layers: number) {
  return {
    model_type,
    hidden_size,
    num_hidden_layers,
    num_attention_heads: hidden_size / 64,
    intermediate_size: 4 * hidden_size,
    hidden_act: 'gelu',
    vocab_size: 30522,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    torch_dtype: 'float32',
  }
}

const roberta = { vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1 }

export const presets: Presets = {
  'bert-base': encoder('bert', 768, 12),
  'bert-large': encoder('bert', 1024, 24),
  'roberta-base': { ...encoder('roberta', 768, 12), ...roberta },
  'roberta-large': { ...encoder('roberta', 1024, 24), ...roberta },
  'distilbert-base': {
    model_type: 'distilbert',
    dim: 768,
    n_layers: 6,
    n_heads: 12,
    hidden_dim: 3072,
    activation: 'gelu',
    vocab_size: 30522,
    max_position_embeddings: 512,
    torch_dtype: 'float32',
  },
  'electra-small': { ...encoder('electra', 256, 12), embedding_size: 128 },
  'electra-base': { ...encoder('electra', 768, 12), embedding_size: 768 },
  'electra-large': { ...encoder('electra', 1024, 24), embedding_size: 1024 },
}
