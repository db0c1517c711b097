import Products

/// Products that went not long ago and have not come back, under their own or another name: together with those that go
/// now they tell a folder that is not there from a change. A folder may vanish bit by bit.
struct RecentlyGone {
    /// What a round finds.
    struct Turnover {
        /// Products that lose their last photo, with what their photos were.
        var gone: [ProductID: [ContentDigest]] = [:]
        /// Products that have photos.
        var present: Set<ProductID> = []
        /// Photos of products that are new, by content, how many of each.
        var arrived: [ContentDigest: Int] = [:]

        /// Whether a photo of one of these contents has arrived; it stands for one product only.
        mutating func match(_ contents: [ContentDigest]) -> Bool {
            guard let digest = contents.first(where: { arrived[$0, default: 0] > 0 }) else { return false }
            arrived[digest]! -= 1
            return true
        }
    }

    private struct Entry {
        let at: ContinuousClock.Instant
        let contents: [ContentDigest]
    }

    private var products: [ProductID: Entry] = [:]

    /// So long.
    static let window = Duration.seconds(600)

    /// Forgets what has come back, and what is long ago; nothing of the latter while removals are held back.
    mutating func forgetWhatIsBack(
        _ turnover: Turnover, isHeldBack: Bool, at now: ContinuousClock.Instant = .now
    ) {
        var turnover = turnover
        for (product, entry) in products {
            let isOld = !isHeldBack && now - entry.at > Self.window
            if isOld || turnover.present.contains(product) || turnover.match(entry.contents) {
                products[product] = nil
            }
        }
    }

    mutating func add(_ gone: [ProductID: [ContentDigest]], at now: ContinuousClock.Instant = .now) {
        for (product, contents) in gone { products[product] = Entry(at: now, contents: contents) }
    }

    /// Somebody has confirmed that they are meant to go.
    mutating func forget() { products = [:] }

    func count(besides others: some Collection<ProductID>) -> Int {
        products.count - others.count { products[$0] != nil }
    }
}
