"""From a conversation to exactly the tokens that are trained: chat template, tokenizer, loss mask.

Backend, command line and engine all come here, so that what was previewed is what is learned. It needs `tokenizers` and
`jinja2` and must never import torch, transformers or numpy.
"""

from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.loss_mask import loss_mask, writes_like_the_template
from tunedeck.tokens.marked import MarkedTokens, mark
from tunedeck.tokens.rendering import LossMask, Piece, Rendering, TemplateUnfit, text_of
from tunedeck.tokens.token_view import Token, TokenView, token_view

__all__ = [
    "ChatTokenizer",
    "LossMask",
    "MarkedTokens",
    "Piece",
    "Rendering",
    "TemplateUnfit",
    "Token",
    "TokenView",
    "loss_mask",
    "mark",
    "text_of",
    "token_view",
    "writes_like_the_template",
]
