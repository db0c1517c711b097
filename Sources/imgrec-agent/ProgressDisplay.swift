import Agent
import Foundation
import Synchronization
import Systemd

/// Shows how far a run is: a bar on a terminal, status text for systemd, nothing elsewhere.
///
/// Progress comes from several threads; `state` keeps them apart.
final class ProgressDisplay: Sendable {
    private struct State {
        var phase = ""
        var phaseStart = ContinuousClock.now
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
        let (phase, done, total) = Self.parts(of: progress)
        state.withLock { state in
            let now = ContinuousClock.now
            if phase != state.phase {
                state.phase = phase
                state.phaseStart = now
                state.lastShown = nil
            }
            guard state.lastShown.map({ now - $0 >= Self.interval }) ?? true || done == total else { return }
            state.lastShown = now
            let text = Self.text(phase, done: done, total: total, elapsed: now - state.phaseStart)
            notifier.status(text)
            if isOnTerminal {
                let bar = total > 0 ? Self.bar(done, total) + " " : ""
                writeError("\r\u{1B}[K\(bar)\(text)")
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

    private static func parts(of progress: ReconcileProgress) -> (phase: String, done: Int, total: Int) {
        switch progress {
        case .scanning: ("listing photos", 0, 0)
        case .embedding(let done, let total): ("embedded", done, total)
        case .ranking(let done, let total): ("ranked", done, total)
        case .publishing(let done, let total): ("published", done, total)
        }
    }

    private static func bar(_ done: Int, _ total: Int) -> String {
        let filled = min(barWidth, barWidth * done / total)
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
            + "]"
    }

    private static func text(_ phase: String, done: Int, total: Int, elapsed: Duration) -> String {
        guard total > 0 else { return phase }
        var text = "\(phase) \(done) of \(total)"
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        if done > 0 && seconds > 0.5 && done < total {
            let rate = Double(done) / seconds
            text += String(
                format: ", %.0f/s, about %@ left", rate, duration(seconds: Double(total - done) / rate))
        }
        return text
    }

    private static func duration(seconds: Double) -> String {
        let seconds = Int(seconds.rounded(.up))
        if seconds < 90 { return "\(seconds) s" }
        if seconds < 90 * 60 { return "\(seconds / 60) min" }
        return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }
}
