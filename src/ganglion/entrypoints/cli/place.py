"""`ganglion site` and `ganglion zone`: what people say of the places in which nodes stand."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note

site_app = typer.Typer(no_args_is_help=True)
zone_app = typer.Typer(no_args_is_help=True)
Site = Annotated[str, typer.Argument(help="Name of the site.")]
Zone = Annotated[str, typer.Argument(help="Name of the zone.")]
Description = Annotated[str, typer.Option(help="One line for people.")]


@site_app.callback()
def site() -> None:
    """Describe the sites of the fleet."""


@zone_app.callback()
def zone() -> None:
    """Describe the trust zones of the fleet."""


@hub_command(site_app, "set")
def set_site(
    session: Session,
    name: Site,
    description: Description = "",
    time_zone: Annotated[str, typer.Option(help="Where its clocks are: Europe/Lisbon.")] = "",
    bytes_per_s_max: Annotated[
        int, typer.Option(min=0, help="Bytes per second that its nodes bring together; 0: no limit.")
    ] = 0,
) -> None:
    """Say what a site is, whether or not nodes stand there yet.

    Example: ganglion site set porto --description "bottling plant" --time-zone Europe/Lisbon
    """
    from ganglion.wire.fleet_resources import SiteDefinition

    definition = SiteDefinition(description=description, time_zone=time_zone, bytes_per_s_max=bytes_per_s_max)
    session.show(session.client.put_site(name, definition))


@hub_command(site_app, "list")
def list_sites(session: Session) -> None:
    """List sites, and how many nodes stand on each.

    Example: ganglion site list
    """
    session.show(session.client.sites(), empty="No sites yet: nodes bring theirs, or `ganglion site set NAME`.")


@hub_command(site_app, "remove")
def remove_site(session: Session, name: Site) -> None:
    """Forget what was said of a site; nodes stand where they stood.

    Example: ganglion site remove porto
    """
    session.client.remove_site(name)
    note(f"what was said of {name} is forgotten")


@hub_command(zone_app, "set")
def set_zone(session: Session, name: Zone, description: Description = "") -> None:
    """Say what a trust zone is.

    Example: ganglion zone set plant --description "machines without visitors"
    """
    from ganglion.wire.fleet_resources import ZoneDefinition

    session.show(session.client.put_zone(name, ZoneDefinition(description=description)))


@hub_command(zone_app, "list")
def list_zones(session: Session) -> None:
    """List trust zones, and how many nodes are in each.

    Example: ganglion zone list
    """
    session.show(session.client.zones(), empty="No zones yet: nodes bring theirs, or `ganglion zone set NAME`.")


@hub_command(zone_app, "remove")
def remove_zone(session: Session, name: Zone) -> None:
    """Forget what was said of a zone; nodes stay in it.

    Example: ganglion zone remove plant
    """
    session.client.remove_zone(name)
    note(f"what was said of {name} is forgotten")
