"""The server: the network and the reading of pictures over HTTP, and a page to draw on.

One file a noun, from the inside out: `settings`; `engine` what computes, in batches and bounded;
`layers` the network with every layer's output in view; `protocol` the Open Inference Protocol's
messages; `body` a request's bytes and pictures; `metrics`; `routes` the paths; `gate` what every
request passes: its id, the token, the log; `app` all of that as one ASGI application; `connection`
how long and how much a client may send; `server` processes, sockets and signals. `page/` is the
page. Not covered: TLS, which belongs to the proxy in front.
"""
