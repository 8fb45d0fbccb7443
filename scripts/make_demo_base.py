"""Makes tunedeck/demo/base: a byte-level BPE tokenizer and a small Qwen3 model pretrained on plain prose.

The prose (`tunedeck.demo.task.plain_texts`) holds the skills that the demo's questions ask for, but no conversation:
the base can add, sort and look up, and has never seen a chat. A random base was rejected: two minutes on two cores
teach it the form of the answers but not the arithmetic. One thread and fixed seeds, so that the same machine and the
same torch make the same weights. It takes about a quarter of an hour.

    python scripts/make_demo_base.py [FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.demo.task import conversations, plain_texts

VOCAB_SIZE = 704
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen's own pattern: words with their leading space, each digit alone.
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SEQUENCE_LENGTH = 128
BATCH_SIZE = 16
NUM_STEPS = 2400
PEAK_LR = 2e-3
WARMUP_STEPS = 100
SEED = 7


def trained_tokenizer() -> PreTrainedTokenizerFast:
    """BPE over the wording of prose and conversations, so that common words are one token each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prose = itertools.islice(plain_texts(SEED), 5000)
    chats = (message["content"] for row in conversations(5000, SEED) for message in row["messages"])
    tokenizer.train_from_iterator(itertools.chain(prose, chats, ["user\nassistant\nsystem\n"] * 500), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def untrained_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Heads and groups divide by two, so that tensor parallelism can be tried on it."""
    torch.manual_seed(SEED)
    config = Qwen3Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[Tensor]:
    """int64 tokens [BATCH_SIZE, SEQUENCE_LENGTH]: texts one after another, each ended by <|endoftext|>."""
    num_tokens = BATCH_SIZE * SEQUENCE_LENGTH
    tokens: list[int] = []
    for text in plain_texts(SEED):
        tokens += [*tokenizer.encode(text), tokenizer.pad_token_id]
        if len(tokens) >= num_tokens:
            yield torch.tensor(tokens[:num_tokens]).view(BATCH_SIZE, SEQUENCE_LENGTH)
            tokens = tokens[num_tokens:]


def lr_share(step: int) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine to a hundredth."""
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    return warmup * (0.505 + 0.495 * math.cos(math.pi * step / NUM_STEPS))


def pretrain(model: Qwen3ForCausalLM, token_batches: Iterator[Tensor]) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_share)
    started = time.monotonic()
    for step, tokens_BS in enumerate(itertools.islice(token_batches, NUM_STEPS), start=1):
        loss = model(input_ids=tokens_BS, labels=tokens_BS, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 0:
            print(f"step {step}/{NUM_STEPS}  loss {loss.item():.3f}  {time.monotonic() - started:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=BASE_FOLDER)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    tokenizer = trained_tokenizer()
    model = untrained_model(tokenizer)
    print(f"{model.num_parameters():,} parameters, vocabulary {len(tokenizer)}", flush=True)
    pretrain(model, batches(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
