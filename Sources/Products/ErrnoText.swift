import Glibc

/// What an error number of the system means, in words. The corresponding C function is `strerror`.
package func errnoText(_ number: Int32) -> String { String(cString: strerror(number)) }
