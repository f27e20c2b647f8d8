"""What the embedded account costs: a ledger by the clock, and AWS's APIs that answer from it and from a price book.

`python -m localaws --prices FILE` gives the book. Without one everything is still counted, at no price. Try

    curl $AWS_ENDPOINT_URL/_localaws/meter
"""
