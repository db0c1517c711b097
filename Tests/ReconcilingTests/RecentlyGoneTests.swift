import Products
import TestSupport
import Testing

@testable import Reconciling

@Suite("Products that went not long ago")
struct RecentlyGoneTests {
    private let start = ContinuousClock.now
    private let hat = ProductID(FileName(text: "hat"))
    private let cap = ProductID(FileName(text: "cap"))
    private let picture = ContentDigest(of: [1])

    private func gone() -> RecentlyGone {
        var recent = RecentlyGone()
        recent.add([hat: [picture]], at: start)
        return recent
    }

    private func settled(
        _ turnover: RecentlyGone.Turnover, after time: Duration = .zero, isHeldBack: Bool = false
    ) -> Int {
        var recent = gone()
        recent.forgetWhatIsBack(turnover, isHeldBack: isHeldBack, at: start + time)
        return recent.count(besides: [])
    }

    @Test("they count until they are back, under their own name or with their picture under another")
    func back() {
        #expect(settled(RecentlyGone.Turnover()) == 1)
        #expect(settled(RecentlyGone.Turnover(present: [hat])) == 0)
        #expect(settled(RecentlyGone.Turnover(present: [cap])) == 1)
        #expect(settled(RecentlyGone.Turnover(present: [cap], arrived: [picture: 1])) == 0)
        #expect(settled(RecentlyGone.Turnover(arrived: [ContentDigest(of: [2]): 1])) == 1)
    }

    @Test("one new photo stands for one product only")
    func copies() {
        var recent = gone()
        recent.add([cap: [picture]], at: start)
        recent.forgetWhatIsBack(RecentlyGone.Turnover(arrived: [picture: 1]), isHeldBack: false, at: start)
        #expect(recent.count(besides: []) == 1)
    }

    @Test("they are forgotten after ten minutes, but not while removals are held back")
    func window() {
        #expect(settled(RecentlyGone.Turnover(), after: .seconds(599)) == 1)
        #expect(settled(RecentlyGone.Turnover(), after: .seconds(601)) == 0)
        #expect(settled(RecentlyGone.Turnover(), after: .seconds(6000), isHeldBack: true) == 1)
    }

    @Test("one that goes now is counted once")
    func besides() { #expect(gone().count(besides: [hat, cap]) == 0 && gone().count(besides: [cap]) == 1) }
}
