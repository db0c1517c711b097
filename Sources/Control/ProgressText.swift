import Foundation
import Products

/// How far something is, in words: `embedded 812 of 10400, 170/s, about 56 s left`.
package struct ProgressText: Sendable {
    private var phase = ""
    private var phaseStart = ContinuousClock.now
    /// What was done when the phase was first told of, and last: a phase may be taken up again half-way.
    private var (firstDone, lastDone) = (0, 0)

    package init() {}

    package struct Line: Hashable, Sendable {
        package let text: String
        package let done: Int
        package let total: Int
        /// Whether another phase has begun.
        package let isNewPhase: Bool
    }

    package mutating func line(of progress: ReconcileProgress) -> Line {
        let (phase, done, total) = Self.parts(of: progress)
        let now = ContinuousClock.now
        let isNew = phase != self.phase
        if isNew || done < lastDone {
            self.phase = phase
            phaseStart = now
            firstDone = done
        }
        lastDone = done
        return Line(
            text: Self.text(
                phase, done: done, total: total, since: firstDone, seconds: (now - phaseStart).seconds),
            done: done, total: total, isNewPhase: isNew)
    }

    private static func parts(of progress: ReconcileProgress) -> (phase: String, done: Int, total: Int) {
        switch progress {
        case .scanning: ("listing photos", 0, 0)
        case .embedding(let done, let total): ("embedded", done, total)
        case .ranking(let done, let total): ("ranked", done, total)
        case .recommending(let done, let total): ("listed", done, total)
        case .publishing(let done, let total): ("published", done, total)
        case .verifying(let done, let total): ("verified", done, total)
        case .comparing(let done, let total): ("compared", done, total)
        }
    }

    /// - Parameters:
    ///   - first: what was done already.
    ///   - seconds: how long the rest has taken so far.
    static func text(_ phase: String, done: Int, total: Int, since first: Int, seconds: Double) -> String {
        guard total > 0 else { return phase }
        var text = "\(phase) \(done) of \(total)"
        if done > first && seconds > 0.5 && done < total {
            let rate = Double(done - first) / seconds
            text += String(
                format: ", %.0f/s, about %@ left", rate, duration(seconds: Double(total - done) / rate))
        }
        return text
    }

    /// As people say it.
    package static func duration(seconds: Double) -> String {
        let seconds = Int(seconds.rounded(.up))
        if seconds < 90 { return "\(seconds) s" }
        if seconds < 90 * 60 { return "\(seconds / 60) min" }
        return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }
}
