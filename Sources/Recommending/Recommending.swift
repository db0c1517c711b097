// Recommending: candidates of a product in, its lists out. Pure: no files, no catalogue, no clock.
//
// Each source of candidates gives a prefix of its own order, the best first (today one: `RankedProduct.similar`); how deep the
// prefix has to be so that the lists made of it are those of the whole catalogue, `Recommender.candidateDepth` says. What a list
// holds is decided here and nowhere else: a list's conditions, its order and its length.

import Products

/// Makes the lists that a shop shows of each product. The same candidates give the same lists.
package struct Recommender: Hashable, Sendable {
    /// The first is `recommendations` in the files.
    package let lists: [ListDefinition]

    package init(lists: [ListDefinition]) { self.lists = lists }

    /// How many candidates of a product each source has to give.
    package var candidateDepth: Int { lists.map(\.candidateDepth).max() ?? 0 }

    /// A product's lists, in the order of their definitions.
    package func lists(of product: RankedProduct) -> [NamedList] {
        lists.map { NamedList(name: $0.name, entries: $0.entries(of: product)) }
    }
}

/// What a list is made by.
package struct ListDefinition: Hashable, Sendable {
    package static let usualName = "similar"

    package var name = Self.usualName
    /// How many entries it has at most.
    package var count: Int
    /// What an entry has to meet.
    package var conditions: [Condition]

    package init(count: Int, conditions: [Condition] = []) {
        (self.count, self.conditions) = (count, conditions)
    }

    /// A condition that holds of a prefix of the order costs no depth.
    var candidateDepth: Int { count }

    func entries(of product: RankedProduct) -> [ListEntry] {
        var entries: [ListEntry] = []
        for candidate in product.similar {
            guard entries.count < count else { break }
            guard conditions.allSatisfy({ $0.holds(of: candidate) }) else { continue }
            entries.append(ListEntry(candidate: candidate, score: ListScore(looks: candidate)))
        }
        return entries
    }
}

/// What an entry of a list has to meet.
package enum Condition: Hashable, Sendable {
    /// Cosine similarity of so much at least.
    case looks(atLeast: Float)

    func holds(of candidate: Candidate) -> Bool {
        switch self {
        case .looks(let least): candidate.neighbour.score >= least
        }
    }
}

/// A list of one product.
package struct NamedList: Hashable, Sendable {
    package let name: String
    /// The best first.
    package let entries: [ListEntry]
}

/// A recommended product.
package struct ListEntry: Hashable, Sendable {
    /// The product, with the cosine similarity that files show whatever decided its place.
    package let candidate: Candidate
    /// What decided its place.
    package let score: ListScore
}

/// What orders a list. It is not a cosine: what decides may be a sum or a product of several things, and nothing that is proven
/// of cosines (`Neighbours`) holds of it.
package struct ListScore: Hashable, Comparable, Sendable {
    package let value: Double

    init(looks candidate: Candidate) { value = Double(candidate.neighbour.score) }

    package static func < (left: ListScore, right: ListScore) -> Bool { left.value < right.value }
}
