import Testing

@testable import Sandbox

@Suite("What agent and worker say to each other")
struct MessageTests {
    @Test(
        "a greeting is read as it was written",
        arguments: [
            WorkerGreeting.contained(Containment(landlock: 7, hasFilter: true)), .contained(.none),
            .failed("no: EPERM"),
        ])
    func greeting(_ greeting: WorkerGreeting) { #expect(WorkerGreeting(greeting.bytes) == greeting) }

    @Test(
        "what is no greeting is a failure",
        arguments: [[], [0], Array("c".utf8), Array("cxxx".utf8)] as [[UInt8]])
    func nonsense(_ bytes: [UInt8]) {
        if case .failed = WorkerGreeting(bytes) {} else { Issue.record("\(bytes)") }
    }

    @Test("a number is eight bytes", arguments: [0, 1, 255, 1 << 40])
    func number(_ number: Int) {
        #expect(Message.number(Message.number(number)) == number)
        #expect(Message.number([1, 2, 3]) == nil)
    }
}
