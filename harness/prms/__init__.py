"""PRMs score steps; each adapter fulfils the contract in `harness.prms.prm`."""
