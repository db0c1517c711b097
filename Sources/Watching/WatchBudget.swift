import CInotifyTools

// libinotifytools is met here alone.

/// How many folders the kernel lets one user watch.
package enum WatchBudget {
    /// The limit `fs.inotify.max_user_watches`, or nil where it cannot be read.
    /// The corresponding C function is `inotifytools_get_max_user_watches`.
    package static var allowed: Int? {
        let limit = Int(inotifytools_get_max_user_watches())
        return limit > 0 ? limit : nil
    }
}
