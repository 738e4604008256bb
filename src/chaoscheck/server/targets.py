"""What requests are meant for, and whether the aims of a plan can fit any request at all.

An aim that surely fits none is a mistake of the plan, said when the plan is adopted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from chaoscheck.errors import PlanError
from chaoscheck.plan.aimed import Aimed, Target
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.apis.routes import PLACES, PROVIDERS, Route
from chaoscheck.suggestions import near_name, unknown_name
from chaoscheck.wire.request_codec import Request

__all__ = ["require_reachable", "target_of"]

_GROUP = re.compile(r"\([^()]*\)")  # in the path of a place: a model, a deployment, an id
# What such a group names is a model where it stands behind one of these.
_BEHIND_MODELS = ("/models/", "/deployments/")


def target_of(way: Route, path: str, request: Request, *, with_model: bool = True) -> Target:
    """What a request is meant for; its path is ``path_of(request.target)``.

    To find a model in a body costs as much as to parse that: without ``with_model`` it is None.
    """
    if not with_model:
        return Target(way.provider.name, None, path)
    model = way.model
    if model is None or not any(each in path for each in _BEHIND_MODELS):
        model = _model_in(request.body)
    return Target(way.provider.name, model, path)


def _model_in(body: bytes) -> str | None:
    if b'"model"' not in body:
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):  # Such a request is refused, and meets no fault.
        return None
    model = asked.get("model") if isinstance(asked, dict) else None
    return model if isinstance(model, str) else None


def require_reachable(
    plan: FaultPlan, providers: Collection[str] | None, *, any_path: bool = False
) -> None:
    """Refuse aims that fit no request to these ``providers``, by name (PlanError); None is all.

    ``any_path`` is for a server whose answers come from elsewhere, which may know other paths.
    """
    for at, aim in enumerate(plan.aimed):
        try:
            _require_reachable(aim, providers, any_path)
        except PlanError as error:
            raise PlanError(f"aimed[{at}]: {error}") from None


def _require_reachable(aim: Aimed, providers: Collection[str] | None, any_path: bool) -> None:
    known = tuple(each.name for each in PROVIDERS)
    served = known if providers is None else tuple(each for each in known if each in providers)
    if aim.provider is not None and aim.provider not in known:
        raise PlanError(unknown_name("provider", aim.provider, known))
    if aim.provider is not None and aim.provider not in served:
        raise PlanError(
            f"provider {aim.provider!r} is not served here, and so meets no fault; "
            f"served: {', '.join(served)}"
        )
    if aim.path is None or any_path:
        return
    among = served if aim.provider is None else (aim.provider,)
    paths = {place.path: None for place in PLACES if place.provider.name in among}
    shown = [_GROUP.sub("*", path) for path in paths]
    if not any(_overlap(aim.path, each) for each in shown):
        near = near_name(aim.path, shown)
        hint = "" if near is None else f"; did you mean {near!r}?"
        raise PlanError(f"path {aim.path!r} is no path of {', '.join(among)}{hint}")


def _overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in which ``*`` stands for any text."""
    ahead, seen = [(0, 0)], {(0, 0)}
    while ahead:
        i, j = ahead.pop()
        if i == len(one) and j == len(other):
            return True
        here, there = one[i : i + 1], other[j : j + 1]
        steps: list[tuple[int, int]] = []
        if here == "*":
            steps += [(i + 1, j), *([(i, j + 1)] if there else [])]
        if there == "*":
            steps += [(i, j + 1), *([(i + 1, j)] if here else [])]
        if here and here == there:
            steps.append((i + 1, j + 1))
        ahead += [step for step in steps if step not in seen]
        seen.update(steps)
    return False
