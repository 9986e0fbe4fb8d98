"""Settings of proofs of identity: of nodes and of people."""

from typing import Annotated

import msgspec

from ganglion.hub.domain.people.login_gate import LoginLimits
from ganglion.ports.passwords import PasswordLimits

Positive = Annotated[int, msgspec.Meta(ge=1)]


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An identity provider with which people log in, by OpenID Connect. Without an issuer there is none."""

    issuer: str = ""
    """Its address, exactly as it calls itself: https, without a slash at the end unless it has one itself."""

    name: str = "your organisation"
    """What the login page calls it."""

    client_id: str = ""
    """What it calls this hub."""

    client_secret_file: str = ""
    """File with the secret that the provider gave the hub; empty: a public client, which PKCE alone protects."""

    redirect_url: str = ""
    """The address that is registered there, ending in /login/provider/callback; empty: taken from the request."""

    scopes: tuple[str, ...] = ("openid", "profile", "groups")
    """What the hub asks to be told."""

    name_claim: str = "preferred_username"
    """The claim that becomes the account's name."""

    groups_claim: str = "groups"
    """The claim that lists a person's groups."""

    roles: tuple[str, ...] = ()
    """What groups give: GROUP=ROLE or GROUP=ROLE@SITE+SITE. The first that fits counts; who is in none is refused."""

    ca_file: str = ""
    """Certificates with which the provider is checked; empty: those of the system."""

    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long it may take to answer."""


class IdentitySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long proofs of identity are good, and how people prove theirs."""

    join_token_life_s_max: Positive = 3600
    """Longest life that a join token can be given."""

    join_tokens_max: Positive = 1000
    """Most join tokens that are made at once."""

    challenge_life_s: Positive = 60
    """A node must answer a challenge within this time."""

    access_token_life_s: Positive = 900
    """A node proves itself again after this time."""

    session_life_s: Annotated[int, msgspec.Meta(ge=60)] = 43_200
    """A browser, or a command line that logged in with a password, logs in again after this time."""

    accounts_max: Positive = 1000
    """No further account is made beyond this number."""

    program_token_life_days_max: Positive = 366
    """Longest life that a program's token can be given."""

    program_tokens_max: Positive = 1000
    """No further program's token is made beyond this number."""

    logins: LoginLimits = LoginLimits()
    """How often passwords may be tried."""

    passwords: PasswordLimits = PasswordLimits()
    """What checking a password costs, and how many are checked at once."""

    provider: ProviderSettings = ProviderSettings()
    """Logging in with an identity provider."""
