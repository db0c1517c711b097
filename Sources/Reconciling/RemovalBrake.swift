import Products

/// Tells a change from a folder that is not there: when too many products go at once, or one after another in a short time, they
/// are kept until somebody confirms or they are back. Pure; times are given.
struct RemovalBrake {
    /// The share of all products that may go.
    let limit: Double
    private var recentlyGone = RecentlyGone()

    enum Decision: Hashable {
        /// What goes, goes.
        case release
        /// So many products would go, and are kept.
        case hold(Int)
    }

    init(limit: Double) { self.limit = limit }

    /// Whether so many vanishing products look like a folder that is not there rather than like a change.
    func isMass(_ vanishing: Int, of products: Int) -> Bool { Double(vanishing) > limit * Double(products) }

    /// - Parameters:
    ///   - turnover: what comes and goes now.
    ///   - products: how many there are.
    ///   - isHeldBack: whether products are being kept. What is held back stays so until all of it is back, not only enough:
    ///     the rest may be on its way.
    ///   - isConfirmed: whether somebody has said that they are meant to go.
    mutating func decide(
        _ turnover: RecentlyGone.Turnover, of products: Int, isHeldBack: Bool, isConfirmed: Bool,
        at now: ContinuousClock.Instant = .now
    ) -> Decision {
        recentlyGone.forgetWhatIsBack(turnover, isHeldBack: isHeldBack, at: now)
        let vanishing = turnover.gone.count
        let earlier = recentlyGone.count(besides: turnover.gone.keys)
        let isLatched = isHeldBack && limit < 1
        let isMass = isMass(vanishing + earlier, of: products + earlier)
        if vanishing > 0, isLatched || isMass, !isConfirmed { return .hold(vanishing) }
        if isConfirmed { recentlyGone.forget() } else { recentlyGone.add(turnover.gone, at: now) }
        return .release
    }
}
