import Control
import Foundation
import Products
import Synchronization
import Systemd

/// Shows how far a run is: a bar on a terminal, status text for systemd, nothing elsewhere.
///
/// Progress comes from several threads; `state` keeps them apart.
final class ProgressDisplay: Sendable {
    private struct State {
        var text = ProgressText()
        var lastShown: ContinuousClock.Instant?
        var isLineOpen = false
    }

    private let state = Mutex(State())
    private let isOnTerminal: Bool
    private let notifier: ServiceNotifier

    private static let interval = Duration.milliseconds(100)
    private static let barWidth = 24

    init(isQuiet: Bool, notifier: ServiceNotifier) {
        isOnTerminal = !isQuiet && isatty(STDERR_FILENO) == 1
        self.notifier = notifier
    }

    func show(_ progress: ReconcileProgress) {
        state.withLock { state in
            let now = ContinuousClock.now
            let line = state.text.line(of: progress)
            if line.isNewPhase { state.lastShown = nil }
            guard state.lastShown.map({ now - $0 >= Self.interval }) ?? true || line.done == line.total else {
                return
            }
            state.lastShown = now
            notifier.status(line.text)
            if isOnTerminal {
                let bar = line.total > 0 ? Self.bar(line.done, line.total) + " " : ""
                writeError("\r\u{1B}[K\(bar)\(line.text)")
                state.isLineOpen = true
            }
        }
    }

    /// Clears the line.
    func finish() {
        state.withLock { state in
            if state.isLineOpen { writeError("\r\u{1B}[K") }
            state.isLineOpen = false
        }
    }

    private static func bar(_ done: Int, _ total: Int) -> String {
        let filled = min(barWidth, barWidth * done / total)
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
            + "]"
    }
}
