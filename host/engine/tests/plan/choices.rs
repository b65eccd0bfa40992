//! The dice of a test. Whatever is random asks here, so that a test can be
//! played again from one number, or shrunk by making the numbers smaller.

/// A source of choices. Zero always stands for the plainest one.
pub struct Choices(Box<dyn Iterator<Item = u32>>);

impl Choices {
    /// Choices made of these numbers; when they run out, all are zero.
    pub fn new(numbers: impl Iterator<Item = u32> + 'static) -> Self {
        Self(Box::new(numbers.chain(std::iter::repeat(0))))
    }

    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: u32) -> u32 {
        let number = self.0.next().expect("the numbers go on for ever");
        number % limit.max(1)
    }

    /// True so many times out of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        match from.len() {
            0 => None,
            count => from.get(self.below(count as u32) as usize),
        }
    }

    /// Puts the elements into another order.
    pub fn shuffle<T>(&mut self, elements: &mut [T]) {
        for last in (1..elements.len()).rev() {
            elements.swap(last, last - self.below(last as u32 + 1) as usize);
        }
    }
}
