"""The part of the hub that knows people: which adapters stand behind their logins."""

from dataclasses import dataclass
from pathlib import Path

from ganglion.adapters.argon2_passwords import Argon2Passwords
from ganglion.adapters.openid import Client, OpenIdProvider, check_address
from ganglion.core.errors import InvalidSettings
from ganglion.core.identity_errors import ProviderFailed
from ganglion.entrypoints.settings.people import IdentitySettings, ProviderSettings
from ganglion.hub.domain.people.provider_roles import parse_rules
from ganglion.hub.services.people.accounts import Accounts, AccountSettings
from ganglion.hub.services.people.browser_logins import BrowserLogins
from ganglion.hub.services.people.passwords import PasswordLogins
from ganglion.hub.services.people.program_tokens import ProgramTokens, ProgramTokenSettings
from ganglion.hub.services.people.provider_logins import ProviderLogins
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_store import ControlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Accounts, and every way to prove that one is its owner."""

    accounts: Accounts
    passwords: PasswordLogins
    program_tokens: ProgramTokens
    browser_logins: BrowserLogins
    provider: ProviderLogins | None = None
    provider_name: str = ""
    """What people call the identity provider that they log in with; empty: there is none."""


def open_people(settings: IdentitySettings, *, control: ControlStore, clock: Clock, chance: Chance) -> People:
    """Return the services of people."""
    accounts = Accounts(
        control=control,
        clock=clock,
        chance=chance,
        settings=AccountSettings(session_life_s=settings.session_life_s, accounts_max=settings.accounts_max),
    )
    return People(
        accounts=accounts,
        passwords=PasswordLogins(
            control=control,
            clock=clock,
            chance=chance,
            accounts=accounts,
            passwords=Argon2Passwords(settings.passwords),
            limits=settings.logins,
        ),
        program_tokens=ProgramTokens(
            control=control,
            clock=clock,
            chance=chance,
            settings=ProgramTokenSettings(
                life_days_max=settings.program_token_life_days_max, tokens_max=settings.program_tokens_max
            ),
        ),
        browser_logins=BrowserLogins(control=control, clock=clock, chance=chance, accounts=accounts),
        provider=_provider(settings.provider, accounts, control=control, clock=clock, chance=chance),
        provider_name=settings.provider.name if settings.provider.issuer else "",
    )


def _provider(
    settings: ProviderSettings, accounts: Accounts, *, control: ControlStore, clock: Clock, chance: Chance
) -> ProviderLogins | None:
    if not settings.issuer:
        return None
    if not settings.client_id:
        raise InvalidSettings("hub.identity.provider.client_id is missing")
    try:
        check_address(settings.issuer)
    except ProviderFailed as error:
        raise InvalidSettings(f"hub.identity.provider.issuer: {error.message}") from error
    client = Client(
        issuer=settings.issuer,
        client_id=settings.client_id,
        secret=_secret_in(settings.client_secret_file),
        scopes=settings.scopes,
        name_claim=settings.name_claim,
        groups_claim=settings.groups_claim,
        timeout_s=settings.timeout_s,
        ca_file=settings.ca_file,
    )
    return ProviderLogins(
        control=control,
        clock=clock,
        chance=chance,
        accounts=accounts,
        provider=OpenIdProvider(client, clock),
        rules=parse_rules(settings.roles),
    )


def _secret_in(file: str) -> str:
    try:
        return Path(file).read_text().strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"hub.identity.provider.client_secret_file: {file} cannot be read") from error
