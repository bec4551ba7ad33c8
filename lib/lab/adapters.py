"""Our small models as other libraries take them. Knows shapes and names of weights; knows nothing of training."""

from typing import Any

from lib.lab.training import Llama


def to_transformers(model: Llama) -> Any:
    """A copy of a model's first member as a LlamaForCausalLM of transformers, which the field's libraries take."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape, d = model.shape, model.shape.width
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=d, intermediate_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, max_position_embeddings=shape.context, rms_norm_eps=shape.epsilon,
        tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    weights = {"embed_tokens": model.embedding[0], "norm": model.gain[0, 0]}
    for number, block in enumerate(model.blocks):
        matrices = dict(zip(("q", "k", "v"), block.qkv[0].T.split(d), strict=True)) | {"o": block.out[0].T}
        gate, up = block.gate_up[0].T.split(shape.hidden)
        feed = {"gate": gate, "up": up, "down": block.down[0].T}
        weights |= {f"layers.{number}.self_attn.{name}_proj": matrix for name, matrix in matrices.items()}
        weights |= {f"layers.{number}.mlp.{name}_proj": matrix for name, matrix in feed.items()}
        weights[f"layers.{number}.input_layernorm"] = block.attention_gain[0, 0]
        weights[f"layers.{number}.post_attention_layernorm"] = block.feed_gain[0, 0]
    theirs = LlamaForCausalLM(config).eval()
    theirs.model.load_state_dict({f"{name}.weight": matrix.detach().clone() for name, matrix in weights.items()})
    return theirs
