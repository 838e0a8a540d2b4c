#!/bin/sh
# The browser that tests/e2e drives: installed only where there is none, and where apt can do it. Where not, those tests are skipped and say why.
command -v chromium >/dev/null && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then echo "no chromium on the PATH, and none can be installed here (needs apt-get, as root): the browser tests will be skipped"; exit 0; fi
echo "installing chromium for the browser tests"
(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium) >/dev/null || echo "chromium could not be installed: the browser tests will be skipped"
