//! Chunks beside vectors.

use fanfare_engine::packed::{Chunk, Element, Fill};
use fanfare_testkit::{Rng, seed};

use crate::sample::{below, bytes_of, element, string};

#[test]
fn chunks_split_and_merge_without_loss() {
    let mut rng = Rng::new(seed());
    for _ in 0..200 {
        let fill = Fill::new([-1, -2, 3, 100][below(&mut rng, 4)]);
        let mut model =
            vec![if rng.below(5) == 0 { string(&mut rng, 9000) } else { element(&mut rng) }];
        let mut chunk = Chunk::new(Element::Bytes(&model[0]), fill).expect("small");
        for _ in 0..40 {
            let new = element(&mut rng);
            let index = below(&mut rng, model.len() + 2);
            if chunk.fits(new.len(), fill) {
                chunk.insert(index, Element::Bytes(&new)).expect("it fits");
                model.insert(index.min(model.len()), new);
            } else {
                let n = 1 + below(&mut rng, 3);
                let index = index.min(model.len());
                let end = (index + n).min(model.len());
                assert_eq!(chunk.remove_range(index, n), end - index);
                model.drain(index..end);
            }
            assert_eq!(bytes_of(&chunk), model);
            assert_eq!(chunk.len(), model.len());
            assert!(chunk.n_bytes() <= 2 * 9100, "{}", chunk.n_bytes());
        }
        let index = below(&mut rng, model.len() + 2);
        assert_eq!(chunk.get(index), model.get(index).map(|it| Element::Bytes(it)));
        let tail_model = model.split_off(index.min(model.len()));
        let Some(tail) = chunk.split_off(index) else {
            assert!(tail_model.is_empty());
            continue;
        };
        assert_eq!((bytes_of(&chunk), bytes_of(tail.iter())), (model.clone(), tail_model.clone()));
        if chunk.merge(&tail, fill) {
            model.extend(tail_model);
        }
        let mut backwards = bytes_of(chunk.iter().rev());
        backwards.reverse();
        assert_eq!(backwards, model);
    }
}
