"""Policies write solutions; each adapter fulfils the contract in `harness.policies.policy`."""
