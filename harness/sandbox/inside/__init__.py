"""What runs inside the sandbox: standard library only, relative imports only, nothing secret.

The sources of this package are all that the sandbox sees of the harness. `launch` builds the
isolation and becomes `zygote`; the zygote forks one child per execution; the child confines itself
(`confine`) and runs the code (`calls`, with `emulation`, or `programs`), writing what came out by
`encoding`.
"""
