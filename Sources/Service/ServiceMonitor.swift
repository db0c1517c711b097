import Control
import Foundation
import Hooking
import Products
import Sandbox
import Synchronization
import Watching

/// What a running agent is doing, for whoever asks. Written by the work loop, the hook's thread and `AgentService`; read by the
/// control socket too.
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
        var attributesTrouble: String?
        /// The model that is to take over.
        var coming: String?
        /// Why it cannot.
        var changeTrouble: String?
        /// What was wrong with the settings when they were read again.
        var settingsTrouble: String?
        var hook = HookStatus()
        var counters = ServiceCounters()
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

extension Containment {
    /// In words: what a process has given up.
    fileprivate var text: String {
        guard hasFilter else { return "off" }
        return landlock > 0 ? "seccomp, Landlock \(landlock)" : "seccomp; there is no Landlock here"
    }
}

extension StatusReport.Running {
    /// - Parameters:
    ///   - settling: asked for before the snapshot, so that nothing is missed that was taken to work between the two.
    init(
        _ now: ServiceMonitor.Snapshot, settling: Int, watches: FolderWatcher.State, version: String
    ) {
        self.init(
            watches: StatusReport.Watches(
                used: watches.watched, unwatched: watches.unwatched, unwatchedReason: watches.unwatchedReason,
                pollReason: watches.pollReason, overflows: watches.overflows))
        self.version = version
        processID = Int(getpid())
        startedAt = now.startedAt.formatted(.iso8601)
        let isSettling = now.phase == .idle && (settling > 0 || watches.isBehind)
        state = (isSettling ? .settling : now.phase).rawValue
        progress = now.progress
        waiting = now.backlog
        self.settling = settling
        photosPerSecond = now.photosPerSecond
        heldBack = now.heldBack
        sandbox = now.containment?.text ?? "not started"
        trouble = now.trouble ?? now.attributesTrouble
        settingsTrouble = now.settingsTrouble
        changeTrouble = now.changeTrouble
        memoryBytes = residentMemory()
    }
}
