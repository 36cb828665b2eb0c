"""Runs code that nobody trusts: code and inputs go in, plain data comes out, nothing else happens.

`harness.sandbox.job` has the records that travel in and out; read it first. `open_sandbox` in
`harness.sandbox.backends` opens one.
"""
