import Foundation
import Products
import Settings
import Synchronization
import Tables

/// What each look at the table of attributes means beside the one before. For the loop's thread.
struct AttributesWatch {
    private var wasSilent = false

    mutating func look(_ lookout: AttributesLookout, _ mailbox: Mailbox, _ monitor: ServiceMonitor)
        -> AttributesLook
    {
        var look = AttributesLook(state: lookout.look())
        if wasSilent, !look.isSilent { mailbox.noteReturn() }
        wasSilent = look.isSilent
        if case .silent(let reason) = look.state {
            // That there is trouble is noted when files are published.
            monitor.update { if $0.attributesTrouble != nil { $0.attributesTrouble = reason } }
        }
        look.hasChangedReach = look.isSilent != (monitor.current.attributesTrouble != nil)
        return look
    }
}

/// Looks at the table of attributes, beside the one that is published. Its disk may take its time, so the loop's thread alone
/// looks; others ask it to, and wait for a while.
final class AttributesLookout: Sendable {
    private struct State {
        /// The table that is published, or was tried last and cannot be used.
        var seen: FileStamp?
        var last = AttributesLook.State.known
        /// Who waits for the next look.
        var lookers: [DispatchSemaphore] = []
        /// Nobody looks any more.
        var isClosed = false
    }

    private let file: String?
    private let files: any TableFiles
    private let state = Mutex(State())

    /// How long whoever asks for a look waits for it.
    private static let longestLook = 1.0
    /// How often the loop looks; nil where there is nothing to look at.
    let interval: Duration?

    init(_ settings: Settings, _ files: any TableFiles) {
        (file, self.files) = (settings.output.attributes, files)
        interval = file == nil ? nil : .seconds(1)
    }

    /// Whether the settings name a table.
    var isNeeded: Bool { file != nil }

    // MARK: For the loop's thread

    func look() -> AttributesLook.State {
        guard let file else { return .known }
        let (lookers, seen) = state.withLock { state in
            defer { state.lookers = [] }
            return (state.lookers, state.seen)
        }
        let look: AttributesLook.State
        do throws(TableError) {
            let stamp = try files.stamp(of: file)
            look =
                if stamp == seen { .known } else if stamp?.isYoungTable ?? false { .young } else {
                    .due(stamp)
                }
        } catch {
            look = .silent(error.description)
        }
        state.withLock { $0.last = look }
        for looker in lookers { looker.signal() }
        return look
    }

    /// A table is being published, or tried.
    func note(seen stamp: FileStamp?) { state.withLock { $0.seen = stamp } }

    /// Whether somebody waits for a look.
    var isAwaited: Bool { state.withLock { !$0.lookers.isEmpty } }

    func close() {
        let lookers = state.withLock { state in
            defer { state.lookers = [] }
            state.isClosed = true
            return state.lookers
        }
        for looker in lookers { looker.signal() }
    }

    // MARK: For other threads

    /// Whether the table is new or may be: has the loop look at it, which knows what it has published.
    ///
    /// - Parameter wake: wakes the loop.
    func isNew(_ wake: () -> Void) -> Bool {
        guard isNeeded else { return false }
        let looked = DispatchSemaphore(value: 0)
        let isTaken = state.withLock { state in
            if !state.isClosed { state.lookers.append(looked) }
            return !state.isClosed
        }
        wake()
        let isLookedAt = isTaken && looked.wait(timeout: .now() + Self.longestLook) == .success
        return state.withLock { state in
            let last = AttributesLook(state: state.last)
            return isLookedAt ? last.isNew : !last.isSilent
        }
    }
}
