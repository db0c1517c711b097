import Glibc

/// What an error number of the system means, in words. The corresponding C function is `strerror`.
package func errnoText(_ number: Int32) -> String { String(cString: strerror(number)) }

/// Whether an errno of looking at something says what it is: that it is not there, is something else, or not for us. All other errnos
/// may pass.
package func isFinding(errno number: Int32) -> Bool {
    [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENXIO, EACCES, EPERM].contains(number)
}
