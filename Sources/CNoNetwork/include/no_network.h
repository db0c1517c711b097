// The agent has no network. FlyingFox brings a proxy that we do not use, the proxy brings Foundation's URL loading,
// and that asks for libcurl. Linked statically, it gets these functions instead, which end the program: there is
// nothing in it that could send. `stand-in/libcurl.a` is an empty linker script under the library's name.

#ifndef IMGREC_NO_NETWORK_H
#define IMGREC_NO_NETWORK_H

#endif
