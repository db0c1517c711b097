import Products
import Testing

@testable import Reconciling

@Suite("The brake on mass removal")
struct RemovalBrakeTests {
    private let start = ContinuousClock.now

    private func turnover(gone: Range<Int>, back: [Int] = []) -> RecentlyGone.Turnover {
        RecentlyGone.Turnover(
            gone: Dictionary(
                uniqueKeysWithValues: gone.map { (ProductID("p\($0)"), [ContentDigest(of: [UInt8($0)])]) }),
            present: Set(back.map { ProductID("p\($0)") }))
    }

    @Test(
        "what goes, goes, as long as it is no more than the limit allows", arguments: [(5, true), (6, false)])
    func limit(gone: Int, isReleased: Bool) {
        var brake = RemovalBrake(limit: 0.5)
        let decision = brake.decide(
            turnover(gone: 0..<gone), of: 10, isHeldBack: false, isConfirmed: false, at: start)
        #expect(decision == (isReleased ? .release : .hold(gone)))
    }

    @Test("what goes bit by bit within the window counts together; after it, or when it is back, it does not")
    func bitByBit() {
        var brake = RemovalBrake(limit: 0.5)
        func decide(_ gone: Range<Int>, back: [Int] = [], of products: Int, after time: Duration)
            -> RemovalBrake.Decision
        {
            brake.decide(
                turnover(gone: gone, back: back), of: products, isHeldBack: false, isConfirmed: false,
                at: start + time)
        }
        #expect(decide(0..<4, of: 10, after: .zero) == .release)
        #expect(decide(4..<6, of: 6, after: .seconds(1)) == .hold(2))
        // Four are back under their names.
        #expect(decide(4..<6, back: [0, 1, 2, 3], of: 10, after: .seconds(2)) == .release)
        #expect(decide(6..<8, of: 4, after: RecentlyGone.window + .seconds(3)) == .release)
    }

    @Test("what is held back stays so until none is missing, or somebody has confirmed it")
    func latch() {
        var brake = RemovalBrake(limit: 0.5)
        #expect(
            brake.decide(turnover(gone: 0..<1), of: 10, isHeldBack: true, isConfirmed: false, at: start)
                == .hold(1))
        #expect(
            brake.decide(turnover(gone: 0..<0), of: 10, isHeldBack: true, isConfirmed: false, at: start)
                == .release)
        #expect(
            brake.decide(turnover(gone: 0..<10), of: 10, isHeldBack: true, isConfirmed: true, at: start)
                == .release)
        // A confirmation is for what had gone when it was given.
        #expect(
            brake.decide(turnover(gone: 0..<6), of: 10, isHeldBack: false, isConfirmed: false, at: start)
                == .hold(6))
    }

    @Test("a limit of 1 switches it off, also where something is held back")
    func off() {
        var brake = RemovalBrake(limit: 1)
        #expect(
            brake.decide(turnover(gone: 0..<10), of: 10, isHeldBack: true, isConfirmed: false, at: start)
                == .release)
    }
}
