import Products
import Testing
import Watching

@testable import Reconciling

@Suite("Photos in the making")
struct DeferralTests {
    private let path = ImagePath("a.jpg")!

    private func isInTheMaking(
        _ change: (inout Deferral) -> Void, secondsOld: Int = 3600, hasOtherNames: Bool = false
    ) -> Bool {
        var deferral = Deferral()
        change(&deferral)
        let now = 1_800_000_000_000_000_000
        let stamp = FileStamp(bytes: 1, mtimeNanoseconds: now - secondsOld * 1_000_000_000)
        return deferral.isInTheMaking(path, stamp, hasOtherNames: hasOtherNames, at: now)
    }

    @Test(
        "one that was begun waits; one that was finished does not, nor a link to a photo that has another name"
    )
    func hints() {
        #expect(isInTheMaking { $0.unfinished = [path] })
        #expect(
            !isInTheMaking {
                $0.unfinished = [path]
                $0.finished = [path]
            })
        #expect(!isInTheMaking({ $0.unfinished = [path] }, hasOtherNames: true))
    }

    @Test("one that is young waits, unless it is known to be whole")
    func young() {
        #expect(isInTheMaking({ $0.youngFor = .seconds(60) }, secondsOld: 30))
        #expect(!isInTheMaking({ $0.youngFor = .seconds(60) }, secondsOld: 90))
        #expect(!isInTheMaking({ $0.youngFor = .seconds(60) }, secondsOld: -90))
        // A server's clock may be ahead of ours.
        #expect(isInTheMaking({ $0.youngFor = .seconds(60) }, secondsOld: -30))
        #expect(!isInTheMaking({ _ in }, secondsOld: 0))
    }

    @Test(
        "any date can be given to a file",
        arguments: [Int.min, Int.min + 1, -1, 0, 1, Int.max - 1, Int.max])
    func dates(mtime: Int) {
        var deferral = Deferral()
        deferral.youngFor = .seconds(2)
        let stamp = FileStamp(bytes: 1, mtimeNanoseconds: mtime)
        #expect(!deferral.isInTheMaking(path, stamp, hasOtherNames: false))
    }
}
