"""The arms by name, as `compare --arms` takes them; standard library only until one is built."""

from __future__ import annotations

ARMS = {
    "keyword": "keyword rules from a text file",
    "similarity": "zero-shot similarity of the instruction's clauses to the turns (MiniLM)",
    "tfidf": "words and word pairs under a trained head",
    "static": "static embeddings (model2vec) under a trained head",
    "minilm": "MiniLM embeddings and conversation features under a trained head",
    "minilm_int8": "the same with the encoder in int8",
    "minilm_words": "MiniLM embeddings and words under one trained head",
    "setfit": "MiniLM fine-tuned on half of train in the SetFit way, head on the other (minutes)",
    "prompt": "the instruction as a prompt to a language model (local SmolLM2-135M by default)",
    "cascade": "minilm_words, and the prompt where it is unsure",
}
"""Name and one-line help of each arm."""

TRAINED = ("tfidf", "static", "minilm", "minilm_int8", "minilm_words", "setfit")
"""The arms that learn from the train split."""
