//! What no other beats: the Pareto front of cost and value.

/// Which of `(cost, value)` are on the Pareto front, by ascending cost: those with a greater value
/// than every other of no greater cost. Of equals the first counts; what is not finite does not.
pub fn pareto_front(points: &[(f64, f64)]) -> Vec<usize> {
    let (mut front, mut best) = (Vec::new(), f64::NEG_INFINITY);
    // The cheapest of what is better than all so far. Fronts are short: no need to sort.
    let next = |best: f64| -> Option<usize> {
        let mut found: Option<usize> = None;
        for (i, (cost, value)) in points.iter().enumerate() {
            let better = cost.is_finite() && value.is_finite() && *value > best;
            let cheaper = found
                .map(|j| points[j])
                .is_none_or(|(least, rival)| *cost < least || *cost == least && *value > rival);
            if better && cheaper {
                found = Some(i);
            }
        }
        found
    };
    while let Some(i) = next(best) {
        front.push(i);
        best = points[i].1;
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let points = [
            (96.0, 0.8),
            (24.0, 0.6),
            (96.0, 0.9),  // as dear as the first, and better
            (192.0, 0.9), // no better than what costs less
            (48.0, f64::NAN),
            (384.0, 0.99),
            (24.0, 0.6), // the second once more
            (f64::INFINITY, 1.0),
        ];
        assert_eq!(pareto_front(&points), [1, 2, 5]);
        assert!(pareto_front(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_front_is_what_no_other_beats(
            points in prop::collection::vec((0u8..12, 0u8..12), 1..30)
        ) {
            let points: Vec<(f64, f64)> =
                points.iter().map(|(c, v)| (f64::from(*c), f64::from(*v))).collect();
            let front = pareto_front(&points);
            for (i, point) in points.iter().enumerate() {
                let beats = |(j, other): (usize, &(f64, f64))| {
                    other.0 <= point.0 && other.1 >= point.1 && (other != point || j < i)
                };
                let beaten = points.iter().enumerate().any(beats);
                prop_assert_eq!(front.contains(&i), !beaten, "{} of {:?}", i, points);
            }
            prop_assert!(front.windows(2).all(|w| points[w[0]].0 < points[w[1]].0));
        }
    }
}
