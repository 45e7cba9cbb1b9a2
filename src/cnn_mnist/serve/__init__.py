"""Serve the network and the reading of images over HTTP, with a page to draw on.

One file a noun, from the inside out: `settings`; `queues` (thread pools with bounded queues, and
batches); `layers` (the output of every layer of the network); `service` (a model with its queues);
`protocol` (the messages of the Open Inference Protocol); `body` (reading a request's body);
`metrics`; `log`; `openapi` (the schemas of requests and errors); `routes` (the paths); `middleware`
(request id, token, response headers, access log); `app` (all of that as one ASGI application);
`connection` (limits on what a client sends, and how slowly); `server` (processes, sockets and
signals). `page/` is the page. Not covered: TLS, which belongs to the proxy in front.
"""
