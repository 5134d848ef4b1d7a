use super::Line;

/// Which values to draw when there are more than `buckets` × 2: of each bucket and line the least and the greatest, so
/// that no spike is lost; never an average. A value that is off the scale, or missing, is kept too.
pub(super) fn kept(x: &[f64], lines: &[Line], buckets: usize) -> Vec<usize> {
    if x.len() <= buckets * 2 || buckets == 0 {
        return (0..x.len()).collect();
    }
    let mut kept = Vec::new();
    for bucket in 0..buckets {
        let (from, to) = (bucket * x.len() / buckets, (bucket + 1) * x.len() / buckets);
        for line in lines {
            let value = |at: usize| line.y.get(at).copied().flatten();
            kept.extend(
                (from..to)
                    .filter(|&at| value(at).is_some())
                    .min_by(|&a, &b| value(a).partial_cmp(&value(b)).unwrap_or(std::cmp::Ordering::Equal)),
            );
            kept.extend(
                (from..to)
                    .filter(|&at| value(at).is_some())
                    .max_by(|&a, &b| value(a).partial_cmp(&value(b)).unwrap_or(std::cmp::Ordering::Equal)),
            );
            kept.extend((from..to).find(|&at| value(at).is_none()));
            kept.extend((from..to).find(|&at| line.off.get(at).copied().unwrap_or(false)));
        }
    }
    kept.push(0);
    kept.push(x.len() - 1);
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(y: Vec<Option<f64>>) -> Line {
        Line { name: String::new(), colour: (0, 0, 0), filled: false, y, off: Vec::new() }
    }

    proptest! {
        #[test]
        fn the_greatest_and_the_least_survive(y in prop::collection::vec(0.0f64..1e6, 1..5000), buckets in 1usize..200) {
            let x: Vec<f64> = (0..y.len()).map(|at| at as f64).collect();
            let lines = [line(y.iter().copied().map(Some).collect())];
            let kept = kept(&x, &lines, buckets);
            let seen: Vec<f64> = kept.iter().map(|&at| y[at]).collect();
            let extremes = |values: &[f64]| (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
            prop_assert_eq!(extremes(&seen), extremes(&y));
            prop_assert!(kept.len() <= (buckets * 2 + 2).max(y.len().min(buckets * 2)));
            prop_assert!(kept.is_sorted());
        }
    }

    #[test]
    fn a_gap_survives() {
        let mut y = vec![Some(1.0); 10_000];
        y[5_000] = None;
        let x: Vec<f64> = (0..y.len()).map(|at| at as f64).collect();
        assert!(kept(&x, &[line(y)], 100).contains(&5_000));
    }
}
