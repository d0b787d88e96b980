"""A small shop with more faults than usual, run once."""

from dataclasses import dataclass
from random import Random

from infra.messages import Message
from infra.simulator.faults import Shares
from infra.simulator.simulation import ShopSettings, Simulation
from infra.simulator.truth import Truth
from tests.oracle.log import at

NOW = at("2026-03-08 21:30")
FAULTY = Shares(resent=0.03, rewritten=0.02, late=0.05, out_of_order=0.1, broken=0.02, resumed=0.1)
SETTINGS = ShopSettings(closed_days=4, visits_per_day=120, products=40, shoppers=60, shares=FAULTY)


@dataclass(frozen=True)
class Run:
    messages: list[Message]
    truth: Truth


def run(settings: ShopSettings = SETTINGS, seed: int = 7, now_ms: int = NOW) -> Run:
    simulation = Simulation(settings, Random(seed), now_ms)
    return Run(list(simulation.messages()), simulation.truth)
