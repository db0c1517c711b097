import Foundation
import Products
import Synchronization

/// Somebody's wish that everything be compared, and whom to tell how it goes.
final class ReconcileRequest: Sendable {
    /// One line of the answer.
    enum Event: Sendable {
        case progress(ReconcileProgress)
        case done(ReconcileReport)
        case failed(any Error)
    }

    let allowsMassRemoval: Bool
    private let tell: @Sendable (Event) -> Void
    private let isOver = Atomic(false)

    init(allowsMassRemoval: Bool, tell: @escaping @Sendable (Event) -> Void) {
        self.allowsMassRemoval = allowsMassRemoval
        self.tell = tell
    }

    func progress(_ progress: ReconcileProgress) {
        if !isOver.load(ordering: .relaxed) { tell(.progress(progress)) }
    }

    func end(_ result: Result<ReconcileReport, any Error>) {
        guard isOver.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else {
            return
        }
        switch result {
        case .success(let report): tell(.done(report))
        case .failure(let error): tell(.failed(error))
        }
    }
}
