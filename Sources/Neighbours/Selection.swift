import Products

/// The best few of some entries.
enum TopK {
    /// Sorted by `ranks`; entries with equal scores that the last place is contested by are told apart by it too.
    static func nearest(_ count: Int, of entries: [PoolEntry], _ ranks: (PoolEntry, PoolEntry) -> Bool)
        -> [PoolEntry]
    {
        var entries = entries
        if entries.count > count, count > 0 {
            var scores = entries.map(\.score)
            let worst = nthLargest(count, of: &scores)
            entries.removeAll { $0.score < worst }
        }
        return Array(entries.sorted(by: ranks).prefix(count))
    }
}

/// The n-th largest of some values, which are rearranged: Hoare's selection, with the middle value as the pivot.
///
/// - Parameter n: from 1 to the number of values.
func nthLargest(_ n: Int, of values: inout [Float]) -> Float {
    var (low, high) = (0, values.count - 1)
    let wanted = n - 1
    while low < high {
        let pivot = values[(low + high) / 2]
        var (left, right) = (low, high)
        while left <= right {
            while values[left] > pivot { left += 1 }
            while values[right] < pivot { right -= 1 }
            if left <= right {
                values.swapAt(left, right)
                left += 1
                right -= 1
            }
        }
        if wanted <= right { high = right } else if wanted >= left { low = left } else { break }
    }
    return values[wanted]
}
