"""Access: who a bearer token belongs to, and what RBAC manifests allow them."""

import secrets
from dataclasses import dataclass, field

from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.trees import Tree

ADMINISTRATORS = "system:masters"


@dataclass(frozen=True)
class User:
    """An authenticated principal."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attributes:
    """What a request wants, as RBAC sees it."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def full(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass
class Access:
    """Tokens and rules. Authorization is enforced from the first binding on; administrators pass always."""

    tokens: dict[str, User] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    required: bool = False  # whether a request without a token is refused
    _roles: dict[tuple[str, str, str], list[Tree]] = field(default_factory=dict)
    _bindings: list[Tree] = field(default_factory=list)

    def token(self, user: str, groups: tuple[str, ...] = ()) -> str:
        """Return a new token of a user."""
        token = secrets.token_urlsafe(16)
        self.tokens[token] = User(user, groups)
        return token

    def expire(self, token: str) -> None:
        """Make a token answer 401 from now on."""
        self.expired.add(token)

    def load(self, *documents: Tree) -> None:
        """Take Role, ClusterRole, RoleBinding and ClusterRoleBinding manifests; other kinds are passed over."""
        for document in documents:
            namespace = document["metadata"].get("namespace", "default")
            if document["kind"] in ("Role", "ClusterRole"):
                home = namespace if document["kind"] == "Role" else ""
                self._roles[document["kind"], home, document["metadata"]["name"]] = document.get("rules") or []
            elif document["kind"] in ("RoleBinding", "ClusterRoleBinding"):
                home = namespace if document["kind"] == "RoleBinding" else ""
                self._bindings.append(document | {"home": home})

    def authenticate(self, header: str) -> User:
        """Return the user of an Authorization header, or refuse."""
        scheme, _, token = header.partition(" ")
        if not header:
            if self.required:
                raise ApiError(401, "Unauthorized", "Unauthorized")
            return User("system:admin", (ADMINISTRATORS,))
        if scheme.lower() != "bearer" or token in self.expired or token not in self.tokens:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return self.tokens[token]

    def allows(self, user: User, wish: Attributes) -> bool:
        """Whether a rule permits a wish."""
        if ADMINISTRATORS in user.groups or not self._bindings:
            return True
        return any(_permits(rule, wish) for binding in self._bindings for rule in self._rules(binding, user, wish))

    def _rules(self, binding: Tree, user: User, wish: Attributes) -> list[Tree]:
        home = binding["home"]
        if home and home != wish.namespace:
            return []
        if not any(_is_subject(subject, user, home) for subject in binding.get("subjects") or []):
            return []
        role = binding["roleRef"]
        return self._roles.get((role["kind"], home if role["kind"] == "Role" else "", role["name"]), [])

    def check(self, user: User, wish: Attributes) -> None:
        """Refuse a wish with the words of the real server."""
        if self.allows(user, wish):
            return
        qualified = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
        named = f'{qualified} "{wish.name}"' if wish.name else qualified
        where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
        text = (
            f'{named} is forbidden: User "{user.name}" cannot {wish.verb} resource "{wish.full}" '
            f'in API group "{wish.group}" {where}'
        )
        raise ApiError(403, "Forbidden", text, name=wish.name, group=wish.group, kind=wish.resource)


def _is_subject(subject: Tree, user: User, home: str) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case _:
            account = f"system:serviceaccount:{subject.get('namespace', home)}:{subject['name']}"
            return account == user.name


def _permits(rule: Tree, wish: Attributes) -> bool:
    def has(name: str, value: str) -> bool:
        return value in rule.get(name, []) or "*" in rule.get(name, [])

    if not (has("verbs", wish.verb) and has("apiGroups", wish.group)):
        return False
    sub = f"*/{wish.subresource}"
    if not (has("resources", wish.full) or (wish.subresource and sub in rule.get("resources", []))):
        return False
    names = rule.get("resourceNames") or []
    return not names or wish.name in names
