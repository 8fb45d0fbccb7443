"""What a template writes for conversations of one outline, learned by watching it once: the same text, much sooner.

Most messages are nothing but a role and a text, and what a template does with a text is mostly to copy it. Here the
template is run once with texts that only tell what is asked of them (`Text`): each answer becomes a condition, and what
was written becomes pieces with gaps for the texts. A conversation of the same roles that meets the same conditions
takes the same way through the template, so its text is the pieces with its own texts in the gaps. Where a template does
more with a text (splits it, counts it, hands it to a filter), the trace ends, and the template itself writes.

Rejected: recognising known templates by their text, which would be wrong after their next release; comparing a few
renderings and trusting the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, NoReturn

from jinja2 import Template, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Outlines that are remembered, and ways through the template of each; beyond, the template itself writes.
_MOST_OUTLINES: Final = 256
_MOST_WAYS: Final = 8
_MOST_MESSAGES: Final = 8
# They write into a text of their own, where a gap would be lost, or write a text in another way than as it stands.
_WRITES_ASIDE: Final = (
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.AssignBlock,
    nodes.Block,
    nodes.EvalContextModifier,
)
# No text of a conversation holds a NUL (that is a fault of its row), and a template that does is not traced.
_GAP: Final = "\0"
# What jinja's tests answer for a text of any content.
_TESTS: Final = {
    "string": True,
    "defined": True,
    "undefined": False,
    "none": False,
    "mapping": False,
    "number": False,
    "boolean": False,
}
# They may answer otherwise the next time.
_FICKLE: Final = frozenset({"strftime_now", "lipsum", "random"})

Condition = tuple[int, Callable[[str], bool], bool]


class Untraceable(Exception):
    """The template does with a text what a trace cannot follow."""


@dataclass(frozen=True, slots=True)
class Way:
    """Conditions on texts by their number, and what is written where all hold: `pieces[i]`, the text of number
    `gaps[i]`, `pieces[i + 1]`… Without `pieces` the template itself must write."""

    conditions: tuple[Condition, ...]
    pieces: tuple[str, ...]
    gaps: tuple[int, ...]

    def fits(self, texts: Sequence[str]) -> bool:
        return all(condition(texts[number]) is answer for number, condition, answer in self.conditions)

    def written(self, texts: Sequence[str]) -> str:
        first, *rest = self.pieces
        return first + "".join([texts[number] + piece for number, piece in zip(self.gaps, rest, strict=True)])


class TracedTemplate:
    """A template for conversations of plain messages, and what has been learned of it."""

    def __init__(self, environment: TracingEnvironment, source: str, variables: dict[str, Any]) -> None:
        self._template = environment.from_string(source) if _can_be_followed(environment, source) else None
        self._variables = variables
        self._ways: dict[tuple[tuple[str, ...], bool], list[Way]] = {}

    def render(self, roles: tuple[str, ...], texts: Sequence[str], *, add_generation_prompt: bool) -> str | None:
        """The text of a conversation, None where only the template itself can tell."""
        if self._template is None or len(roles) > _MOST_MESSAGES:
            return None
        outline = roles, add_generation_prompt
        ways = self._ways.get(outline, [])
        way = next((way for way in ways if way.fits(texts)), None)
        if way is None:
            if len(ways) >= _MOST_WAYS or (not ways and len(self._ways) >= _MOST_OUTLINES):
                return None
            way = self._followed(self._template, *outline, texts)
            self._ways[outline] = [*ways, way]
        return way.written(texts) if way.pieces else None

    def _followed(self, template: Template, roles: tuple[str, ...], add_generation_prompt: bool, texts: Any) -> Way:
        trace = _Trace()
        messages = [
            {"role": role, "content": Text(trace, number, text)}
            for number, (role, text) in enumerate(zip(roles, texts, strict=True))
        ]
        given = {"tools": None, "documents": None, "add_generation_prompt": add_generation_prompt}
        try:
            context = template.new_context({**self._variables, **given, "messages": messages})
            pieces = "".join(template.root_render_func(context)).split(_GAP)
        except Exception:  # whatever it is: where it is a fault, the template itself will say so
            pieces = []
        if len(pieces) != len(trace.gaps) + 1:
            return Way(tuple(trace.conditions), (), ())
        return Way(tuple(trace.conditions), tuple(pieces), tuple(trace.gaps))


class TracingEnvironment(ImmutableSandboxedEnvironment):
    """Takes texts that are none."""

    def trace(self) -> TracingEnvironment:
        """Once it has all its tests, filters and globals."""
        self.finalize = _written
        tests: Any = self.tests  # jinja does not say what a test is
        self.tests = {name: _test(name, test) for name, test in tests.items()}
        self.filters = {name: _filter(name, function) for name, function in self.filters.items()}
        self.globals |= {name: _refuse for name in _FICKLE if name in self.globals}
        return self

    def getitem(self, obj: Any, argument: Any) -> Any:
        _refuse_joined((argument,), {})
        return super().getitem(obj, argument)


@dataclass
class _Trace:
    conditions: list[Condition] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise Untraceable


class _Opaque:
    """Not a str, so that nothing can read it unseen. What is not allowed here raises, also what jinja would take for a
    sign that it has to do with some other kind of value."""

    __len__ = __iter__ = __reversed__ = __getitem__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __getattr__ = __copy__ = __deepcopy__ = _refuse
    __mul__ = __rmul__ = __mod__ = __rmod__ = __str__ = __repr__ = __format__ = __bytes__ = _refuse
    __int__ = __float__ = __index__ = __complex__ = _refuse

    def __bool__(self) -> bool:
        raise Untraceable

    def __contains__(self, _: object) -> bool:
        raise Untraceable

    def __eq__(self, _: object) -> bool:
        raise Untraceable

    def __ne__(self, _: object) -> bool:
        raise Untraceable

    def __hash__(self) -> int:
        raise Untraceable


class Joined(_Opaque):
    """Texts and strings end to end: may be joined to more, and written."""

    def __init__(self, trace: _Trace, parts: tuple[str | int, ...]) -> None:
        self._trace = trace
        self._parts = parts

    def __add__(self, other: Any) -> Joined:
        return Joined(self._trace, self._parts + _parts_of(other))

    def __radd__(self, other: Any) -> Joined:
        return Joined(self._trace, _parts_of(other) + self._parts)


class Text(Joined):
    """The content of one message. Questions to it are answered by the text at hand, and become conditions."""

    def __init__(self, trace: _Trace, number: int, text: str) -> None:
        super().__init__(trace, (number,))
        self._number = number
        self._text = text

    def __bool__(self) -> bool:
        return self._ask(bool)

    def __contains__(self, part: object) -> bool:
        return self._ask(lambda text: part in text) if isinstance(part, str) else _refuse()

    def startswith(self, start: Any) -> bool:
        return self._ask(lambda text: text.startswith(start)) if isinstance(start, str) else _refuse()

    def endswith(self, end: Any) -> bool:
        return self._ask(lambda text: text.endswith(end)) if isinstance(end, str) else _refuse()

    def strip(self, chars: str | None = None) -> Text:
        return self._unchanged(lambda text: text.strip(chars))

    def lstrip(self, chars: str | None = None) -> Text:
        return self._unchanged(lambda text: text.lstrip(chars))

    def rstrip(self, chars: str | None = None) -> Text:
        return self._unchanged(lambda text: text.rstrip(chars))

    def _unchanged(self, change: Callable[[str], str]) -> Text:
        """Only a text that stays as it is can be followed further."""
        return self if self._ask(lambda text: change(text) == text) else _refuse()

    def _ask(self, condition: Callable[[str], bool]) -> bool:
        answer = condition(self._text)
        self._trace.conditions.append((self._number, condition, answer))
        return answer


def _written(value: Any) -> Any:
    """What is put where a template writes a value."""
    if not isinstance(value, Joined):
        return value
    value._trace.gaps += [part for part in value._parts if isinstance(part, int)]
    return "".join(_GAP if isinstance(part, int) else part for part in value._parts)


def _parts_of(value: Any) -> tuple[str | int, ...]:
    if isinstance(value, Joined):
        return value._parts
    if isinstance(value, str) and _GAP not in value:
        return (value,)
    raise Untraceable


def _can_be_followed(environment: TracingEnvironment, source: str) -> bool:
    tree = environment.parse(source)
    calls_itself = any(loop.recursive for loop in tree.find_all(nodes.For))
    return not (calls_itself or _GAP in source or any(tree.find_all(_WRITES_ASIDE)))


def _test(name: str, test: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(test)
    def traced(*values: Any, **more: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], Joined) and name in _TESTS:
            return _TESTS[name]
        _refuse_joined(values, more)
        return test(*values, **more)

    return traced


def _filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def traced(*values: Any, **more: Any) -> Any:
        if name in _FICKLE:
            raise Untraceable
        if name == "trim" and values and isinstance(values[0], Text):
            return values[0].strip(*values[1:], **more)
        _refuse_joined(values, more)
        return function(*values, **more)

    return traced


def _refuse_joined(values: Sequence[Any], more: dict[str, Any]) -> None:
    if any(isinstance(value, _Opaque) for value in (*values, *more.values())):
        raise Untraceable
