"""Makes tunedeck/demo/base: a byte-level BPE tokenizer and a small Qwen3 model pretrained on plain text.

The text (`tunedeck/demo/prose.py`) holds the skills that the demo's questions ask for, but no conversation: the base
can add, sort and look up, and has never seen a chat. A random base was rejected: two minutes on two cores teach it the
form of the answers but not the arithmetic. One thread and fixed seeds, so that the same device and the same torch make
the same weights. It takes about a quarter of an hour on one free core and two minutes on a GPU; the shipped weights
were made with `--device cuda`. Look-ups are learnt late and not by every seed: judge a new base by the demo's score.

    python scripts/make_demo_base.py [FOLDER] [--device cuda]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.demo.prose import PlainText, plain_texts
from tunedeck.demo.task import conversations

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
TEXTS_PER_ROW = 2
BATCH_SIZE = 16
# Rows of like length go into one batch: sorted within so many batches, then shuffled.
BATCHES_PER_SORT = 8
# Enough for the model to learn what a sentence looks like; prose.py says why not more.
WEIGHT_OF_GIVEN = 0.1
NUM_STEPS = 4800
PEAK_LR = 2e-3
WARMUP_STEPS = 100
SEED = 7

# Legend of tensor suffixes: B rows of a batch, S tokens of a row.


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
    prose = (text.given + text.follows for text in itertools.islice(plain_texts(SEED), 8000))
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


def batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[tuple[Tensor, Tensor]]:
    """Without end: tokens int64 [B, S] and the weight of each in the loss, float32 [B, S]; padding has weight 0."""
    texts, rng = plain_texts(SEED), Random(SEED)
    while True:
        rows = [_row(itertools.islice(texts, TEXTS_PER_ROW), tokenizer) for _ in range(BATCH_SIZE * BATCHES_PER_SORT)]
        rows.sort(key=len)
        groups = [rows[first : first + BATCH_SIZE] for first in range(0, len(rows), BATCH_SIZE)]
        rng.shuffle(groups)
        for group in groups:
            length = len(group[-1])
            padded = [row + [(tokenizer.pad_token_id, 0.0)] * (length - len(row)) for row in group]
            yield (
                torch.tensor([[token for token, _ in row] for row in padded]),
                torch.tensor([[weight for _, weight in row] for row in padded]),
            )


def _row(texts: Iterator[PlainText], tokenizer: PreTrainedTokenizerFast) -> list[tuple[int, float]]:
    """(token, weight) of texts one after another, each ended by <|endoftext|>, which also begins the row."""
    row = [(tokenizer.pad_token_id, 0.0)]
    for text in texts:
        row += [(token, WEIGHT_OF_GIVEN) for token in tokenizer.encode(text.given)]
        row += [(token, 1.0) for token in [*tokenizer.encode(text.follows), tokenizer.pad_token_id]]
    return row


def lr_share(step: int) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine to a hundredth."""
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    return warmup * (0.505 + 0.495 * math.cos(math.pi * step / NUM_STEPS))


def weighted_loss(model: Qwen3ForCausalLM, tokens_BS: Tensor, weights_BS: Tensor) -> Tensor:
    """Next-token cross entropy in nats, averaged by weight."""
    logits_BSV = model(input_ids=tokens_BS, use_cache=False).logits[:, :-1]
    losses_BS = cross_entropy(logits_BSV.transpose(1, 2), tokens_BS[:, 1:], reduction="none")
    return (losses_BS * weights_BS[:, 1:]).sum() / weights_BS[:, 1:].sum()


def pretrain(model: Qwen3ForCausalLM, weighted_batches: Iterator[tuple[Tensor, Tensor]]) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_share)
    started = time.monotonic()
    for step, (tokens_BS, weights_BS) in enumerate(itertools.islice(weighted_batches, NUM_STEPS), start=1):
        loss = weighted_loss(model, tokens_BS.to(model.device), weights_BS.to(model.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 200 == 0:
            print(f"step {step}/{NUM_STEPS}  loss {loss.item():.3f}  {time.monotonic() - started:.0f} s", flush=True)


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # transformers 5 writes a class name that version 4 does not know; both know this one.
    config_file = folder / "tokenizer_config.json"
    config = json.loads(config_file.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config_file.write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the base model of the demo.")
    parser.add_argument("folder", nargs="?", type=Path, default=BASE_FOLDER)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = trained_tokenizer()
    model = untrained_model(tokenizer).to(arguments.device)
    print(f"{model.num_parameters():,} parameters, vocabulary {len(tokenizer)}", flush=True)
    pretrain(model, batches(tokenizer))
    save(model, tokenizer, arguments.folder)


if __name__ == "__main__":
    main()
