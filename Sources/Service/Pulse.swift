import Control
import Products
import Synchronization
import Systemd
import Watching

/// Tells the service manager that the loop is alive, and everybody how far it is. Called on the loop's thread, also from within a
/// round.
final class Pulse: Sendable {
    private struct State {
        var lastPing: ContinuousClock.Instant?
        var lastShown: ContinuousClock.Instant?
        var display = ProgressText()
    }

    private let notifier: ServiceNotifier
    private let monitor: ServiceMonitor
    private let watcher: FolderWatcher
    private let state = Mutex(State())

    /// How long the watcher may be silent before the watchdog is no longer told that all is well.
    private static let longestSilence = Duration.seconds(45)
    private static let pingInterval = Duration.seconds(1)
    private static let showInterval = Duration.milliseconds(200)

    init(_ notifier: ServiceNotifier, _ monitor: ServiceMonitor, _ watcher: FolderWatcher) {
        (self.notifier, self.monitor, self.watcher) = (notifier, monitor, watcher)
    }

    /// Tells the watchdog that work goes on: only from here, where it does.
    func ping() {
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            guard state.lastPing.map({ now - $0 >= Self.pingInterval }) ?? true,
                watcher.state.heartbeat + Self.longestSilence > now
            else { return false }
            state.lastPing = now
            return true
        }
        if isDue { notifier.watchdog() }
    }

    /// Called often while a round goes on.
    ///
    /// - Parameter whole: the progress over all turns of a comparison, and how many photos are embedded in a second; asked for
    ///   only when it is shown.
    func show(
        _ progress: ReconcileProgress,
        whole: (ReconcileProgress) -> (progress: ReconcileProgress, photosPerSecond: Double?)
    ) {
        if case .ranking = progress, [.idle, .heldBack].contains(monitor.current.phase) {
            // Another model takes over: until its lists are published, nobody is to believe that all is done.
            monitor.update { $0.phase = .working }
        }
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            guard state.lastShown.map({ now - $0 >= Self.showInterval }) ?? true else { return false }
            state.lastShown = now
            return true
        }
        guard isDue else { return }
        let (progress, rate) = whole(progress)
        let text = state.withLock { $0.display.line(of: progress).text }
        monitor.update {
            $0.progress = text
            if let rate { $0.photosPerSecond = rate }
        }
        notifier.status(text)
        ping()
    }

    /// Tells how things stand where nothing is being done.
    func rest(products: Int) {
        let now = monitor.current
        var text = "\(products) products"
        switch now.phase {
        case .heldBack: text += "; \(now.heldBack) vanished at once and are kept until confirmed"
        case .waitingForFolder: text += "; the image folder is not there"
        case .trouble: text += "; trying again: \(now.trouble ?? now.attributesTrouble ?? "trouble")"
        default: break
        }
        notifier.status(text)
    }
}
