import Glibc
import Products
import Testing
import Watching

@testable import Agent

@Suite("Photos in the making")
struct DeferralTests {
    private let path = ImagePath("a.jpg")!

    private func isInTheMaking(
        _ change: (inout Deferral) -> Void, secondsOld: Int = 3600, hasOtherNames: Bool = false
    ) -> Bool {
        var deferral = Deferral()
        change(&deferral)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return deferral.isInTheMaking(
            path, mtimeNanoseconds: (now.tv_sec - secondsOld) * 1_000_000_000, hasOtherNames: hasOtherNames)
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
        #expect(!isInTheMaking({ _ in }, secondsOld: 0))
    }

    @Test(
        "any date can be given to a file",
        arguments: [Int.min, Int.min + 1, -1, 0, 1, Int.max - 1, Int.max])
    func dates(mtime: Int) {
        var deferral = Deferral()
        deferral.youngFor = .seconds(2)
        #expect(!deferral.isInTheMaking(path, mtimeNanoseconds: mtime, hasOtherNames: false))
    }
}
