import TestSupport
import Testing

@testable import Threads

@Suite("The queue between threads", .inLanes)
struct BoundedQueueTests {
    @Test("passes everything on, from several threads, through little room")
    func everything() throws {
        let queue = BoundedQueue<Int>(capacity: 3, senders: 4)
        for sender in 0..<4 {
            try OwnThread("sender") {
                for number in 0..<500 { _ = queue.send(sender * 500 + number) }
                queue.finish()
            }
        }
        var received: [Int] = []
        while true {
            let batch = queue.receive()
            if batch.isEmpty { break }
            #expect(batch.count <= 3)
            received += batch
        }
        #expect(received.sorted() == Array(0..<2000))
    }

    @Test("lets senders go when the receiver has gone")
    func closed() throws {
        let queue = BoundedQueue<Int>(capacity: 1, senders: 1)
        try OwnThread("sender") {
            while queue.send(1) {}
            queue.finish()
        }
        _ = queue.receive()
        queue.close()
    }
}
