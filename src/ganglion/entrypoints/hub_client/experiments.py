"""What a hub is asked about experiments."""

from typing import Literal

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection
from ganglion.wire import paths
from ganglion.wire.experiment_resources import ExperimentAction, ExperimentRequest, ExperimentView


class ExperimentCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def create_experiment(self, request: ExperimentRequest) -> ExperimentView:
        """Declare an experiment, or declare a draft anew."""
        return self._hub.post(paths.EXPERIMENTS, request, ExperimentView)

    def experiments(self) -> list[ExperimentView]:
        """List experiments by name."""
        return self._hub.get(paths.EXPERIMENTS, list[ExperimentView])

    def experiment(self, name: str) -> ExperimentView:
        """Return an experiment with what its arms show by now."""
        return self._hub.get(paths.experiment(parse_name(name, what="experiment")), ExperimentView)

    def act_on_experiment(
        self, name: str, action: Literal["start", "stop", "conclude"], request: ExperimentAction
    ) -> ExperimentView:
        """Start it, or end it."""
        return self._hub.post(paths.experiment(parse_name(name, what="experiment"), action), request, ExperimentView)
