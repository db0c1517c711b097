import Foundation

/// Passes values from several threads to one, and makes the threads wait when it is full.
///
/// `@unchecked Sendable`: every access to the state below is made while `condition` is locked.
package final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let capacity: Int
    private var elements: [Element] = []
    private var senders: Int
    private var isClosed = false

    /// - Parameter senders: how many threads will call `finish`.
    package init(capacity: Int, senders: Int) {
        self.capacity = capacity
        self.senders = senders
    }

    /// Waits for room. Returns false when the receiver has gone.
    package func send(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while elements.count >= capacity && !isClosed { condition.wait() }
        guard !isClosed else { return false }
        elements.append(element)
        condition.broadcast()
        return true
    }

    /// A sender says that it is done.
    package func finish() {
        condition.lock()
        senders -= 1
        condition.broadcast()
        condition.unlock()
    }

    /// All that has been sent since the last call; waits for something. Empty when every sender is done.
    package func receive() -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        while elements.isEmpty && senders > 0 { condition.wait() }
        defer {
            elements.removeAll(keepingCapacity: true)
            condition.broadcast()
        }
        return elements
    }

    /// The receiver goes: senders are told, and waited for.
    package func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        while senders > 0 { condition.wait() }
        condition.unlock()
    }
}
