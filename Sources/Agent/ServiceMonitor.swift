import Foundation
import Products
import Sandbox
import Synchronization

/// What a running agent is doing, for whoever asks. Written by the work loop, read by the control socket.
final class ServiceMonitor: Sendable {
    enum Phase: String, Codable, Sendable {
        case starting, idle, working
        /// Photos have just changed, or may still be written to.
        case settling
        /// The image folder is not there.
        case waitingForFolder = "waiting for the image folder"
        /// Too many products vanished at once.
        case heldBack = "holding back removals"
        /// Something went wrong and is tried again.
        case trouble
        case stopping
    }

    struct Counters: Sendable {
        var rounds = 0
        var photosRead = 0
        var photosEmbedded = 0
        var photosFailed = 0
        var filesWritten = 0
        var filesRemoved = 0
        var reconciles = 0
        var troubles = 0
        var hookRuns = 0
        var hookFailures = 0
    }

    /// What is known of the hook.
    struct Hook: Sendable {
        var isRunning = false
        var lastRun: Date?
        /// Why it failed last, or cannot be begun; nil where all is well.
        var trouble: String?
        /// In a row.
        var failures = 0
    }

    struct Snapshot: Sendable {
        var phase = Phase.starting
        var progress = ""
        /// Photos that are known to wait for being read.
        var backlog = 0
        var photosPerSecond: Double?
        var heldBack = 0
        /// What the processes that read photos have given up.
        var containment: Containment?
        var trouble: String?
        /// Why the table of attributes cannot be looked at; files are as its last state says.
        var tableTrouble: String?
        /// The model that is to take over.
        var coming: String?
        /// Why it cannot.
        var changeTrouble: String?
        /// What was wrong with the settings when they were read again.
        var settingsTrouble: String?
        var hook = Hook()
        var counters = Counters()
        var startedAt = Date()
    }

    private let snapshot = Mutex(Snapshot())

    var current: Snapshot { snapshot.withLock { $0 } }

    func update(_ change: (inout Snapshot) -> Void) {
        snapshot.withLock { change(&$0) }
    }
}

/// How much memory this process holds now, in bytes; nil where /proc does not tell.
func residentMemory() -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    let fields = text.split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
}
