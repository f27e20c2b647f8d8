"""A small `pulumi-resource-aws`: lets the real Pulumi engine drive the embedded AWS.

    python -m localaws.pulumi_provider.install --pulumi "$(which pulumi)" --home "$PULUMI_HOME" --version 7.51.1
    AWS_ENDPOINT_URL=http://127.0.0.1:4566 pulumi up

The real plugin is a large download and wants a real account. Types and properties are pulumi-aws'. Each resource type
is one row in `table/`; the rest is the same code for all rows: `inputs.py`, `check.py` and `scalars.py` (Check),
`diff.py` (Diff), `lifecycle.py` (Create, Update, Delete, Read) and `refresh.py` (what Read means for the inputs).
"""
