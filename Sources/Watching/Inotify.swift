import CInotifyTools
import Glibc

// libinotifytools is met here alone. Its state is global to the process and not thread-safe: there is at most one
// `Inotify`, and one thread uses it.
//
// The library keeps a path for each watch, to which we give no meaning: a directory may have been renamed or
// replaced since. Watches are set on open directories, by way of /proc/self/fd, so that what was looked at is
// what is watched, however it is called by then; `WatchedTree` knows where each watch is.
//
// Watches are given up by closing the queue. Taking a single one back makes the library print an error where the
// kernel has dropped it already.

/// A queue of events from the kernel.
struct Inotify: ~Copyable {
    struct Event: Hashable {
        /// The watch that it comes from; -1 where events were lost.
        let watch: Int32
        let mask: Mask
        /// Joins the two halves of a rename.
        let cookie: UInt32
        /// The name in the watched folder; empty where the folder itself is meant.
        let name: [UInt8]
    }

    /// The names are those of inotify(7).
    struct Mask: OptionSet, Hashable {
        let rawValue: UInt32

        static let attributes = Mask(rawValue: UInt32(IN_ATTRIB))
        static let closeWrite = Mask(rawValue: UInt32(IN_CLOSE_WRITE))
        static let movedFrom = Mask(rawValue: UInt32(IN_MOVED_FROM))
        static let movedTo = Mask(rawValue: UInt32(IN_MOVED_TO))
        static let create = Mask(rawValue: UInt32(IN_CREATE))
        static let delete = Mask(rawValue: UInt32(IN_DELETE))
        static let deleteSelf = Mask(rawValue: UInt32(IN_DELETE_SELF))
        static let moveSelf = Mask(rawValue: UInt32(IN_MOVE_SELF))
        static let unmount = Mask(rawValue: UInt32(IN_UNMOUNT))
        static let queueOverflow = Mask(rawValue: UInt32(IN_Q_OVERFLOW))
        static let ignored = Mask(rawValue: UInt32(IN_IGNORED))
        static let isFolder = Mask(rawValue: UInt32(IN_ISDIR))

        static let watched: Mask = [
            .attributes, .closeWrite, .movedFrom, .movedTo, .create, .delete, .deleteSelf, .moveSelf,
            Mask(rawValue: UInt32(IN_ONLYDIR)), Mask(rawValue: UInt32(IN_EXCL_UNLINK)),
        ]
    }

    struct Failure: Error { let errno: Int32 }

    private var spelling = 0

    /// The corresponding C function is `inotifytools_initialize`.
    init() throws(Failure) {
        guard inotifytools_initialize() == 1 else { throw Failure(errno: inotifytools_error()) }
        // The library's buffer outlives its queue: what an earlier one left there is of other watches.
        while inotifytools_next_events(0, 1) != nil {}
    }

    deinit { inotifytools_cleanup() }

    /// Watches an open folder.
    ///
    /// The corresponding C function is `inotifytools_watch_file`.
    ///
    /// - Returns: the watch; the one that there is already where the folder is watched.
    mutating func watch(folder descriptor: Int32) throws(Failure) -> Int32 {
        // The library finds a watch by its path's spelling only, so each gets one of its own: `/` and `./` are
        // the digits of a number, and lead nowhere else.
        spelling += 1
        let digits = String(spelling, radix: 2).map { $0 == "1" ? "./" : "/" }.joined()
        let path = "/proc/self/fd/\(descriptor)/\(digits)"
        guard inotifytools_watch_file(path, Int32(bitPattern: Mask.watched.rawValue)) == 1 else {
            throw Failure(errno: inotifytools_error())
        }
        return inotifytools_wd_from_filename(path)
    }

    /// The next event; waits for it. Nil when there was none in time, or a signal came.
    ///
    /// The corresponding C function is `inotifytools_next_events`, which knows whole seconds only.
    mutating func next(seconds: Int) throws(Failure) -> Event? {
        guard let event = inotifytools_next_events(seconds, 1) else {
            let number = inotifytools_error()
            guard number == 0 || number == EINTR || number == EAGAIN else { throw Failure(errno: number) }
            return nil
        }
        let length = Int(event.pointee.len)
        let name = UnsafeRawPointer(event).advanced(by: MemoryLayout<inotify_event>.size)
        let bytes = UnsafeRawBufferPointer(start: name, count: length).prefix { $0 != 0 }
        return Event(
            watch: event.pointee.wd, mask: Mask(rawValue: event.pointee.mask), cookie: event.pointee.cookie,
            name: Array(bytes))
    }
}

/// How many folders the kernel lets one user watch.
package enum WatchBudget {
    /// The limit `fs.inotify.max_user_watches`, or nil where it cannot be read.
    /// The corresponding C function is `inotifytools_get_max_user_watches`.
    package static var allowed: Int? {
        let limit = Int(inotifytools_get_max_user_watches())
        return limit > 0 ? limit : nil
    }
}
