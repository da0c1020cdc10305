"""The promise that a threshold keeps: the budget, its evidence, its price, and the ways out."""
